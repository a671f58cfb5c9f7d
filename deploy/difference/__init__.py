"""What a plan changes of each app: its release, its files, its unit.

moves (what is given where) -> stored (what hosts have of it) -> change
files, unit_text: two of them compared
"""
