"""Commands that look at environments and change nothing.

status (once), watching (again and again) -> looks (what both need)
"""
