"""A run as a screen shows it, drawn from its events alone, without a terminal. Pure.

state (what is going on; host, schedule)     story (how it went)
    -> drawing: header, rows (while it runs)     failures (as they happen)     report (at the end)
        -> line (pieces of text), names (of hosts), remaining (time), why (a journal's line)
"""
