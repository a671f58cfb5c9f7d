"""A run that is over, shown again: as a page.

report (from what was typed to the file)
"""
