"""A run as a screen shows it, drawn from its events alone: pure, and without a terminal.

state (what is going on)     story (how it went)
    -> header, rows (while it runs)     failures (as they happen)     report (at the end)
        -> line (what they are made of), names (of hosts), remaining (time), why (a journal's line)
"""
