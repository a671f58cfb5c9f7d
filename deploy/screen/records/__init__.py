"""What hosts have recorded, as it is shown.

journals (lines of services)     runs (the history)
"""
