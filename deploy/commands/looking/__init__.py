"""Commands that look at environments and change nothing.

status (once), watching (again and again) -> looks (what both need)
following (a run of others, until it ends) -> watching, endings (how it ended)
"""
