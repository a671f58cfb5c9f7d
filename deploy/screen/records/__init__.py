"""What hosts have written down, as it is shown.

journals (lines of services)     runs (the history)
"""
