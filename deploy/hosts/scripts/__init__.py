"""The programs that hosts run, a shell file each, and builders that return them. Pure.

read, probe, connections: ask, and change nothing     base: an app's lock, its exit codes
lock: the environment's lock     upload, service, history: what changes, by what it is about
rehearsal: tries a sandbox with /bin/true
all of them -> script -> *.sh
"""
