"""The shell scripts that hosts run: builders that return text and run nothing. Pure.

read: asks, and changes nothing     change: an app's lock, its folders, its exit codes
lock: the environment's lock        upload, service, history: what changes, by what it is about
rehearsal: tries a sandbox with /bin/true
"""
