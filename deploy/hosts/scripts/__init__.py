"""The shell scripts that hosts run: builders that return text and run nothing. Pure.

read: asks, and changes nothing     change: changes, under the app's lock
lock: the environment's lock        rehearsal: tries a sandbox with /bin/true
"""
