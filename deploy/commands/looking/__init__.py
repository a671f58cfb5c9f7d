"""Commands that look at environments and change nothing.

status (once), watching (again and again) -> looks (what both share)
following (a deploy of others, until it ends) -> watching, endings (how it ended)
"""
