"""What a plan changes of each app: its release, its files, its unit.

moves (which release goes where) -> stored (what hosts have of both) -> change
files, unit_text: compare two lists of files, two units
"""
