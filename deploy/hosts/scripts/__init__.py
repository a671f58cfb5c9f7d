"""The shell programs that hosts run, one file each, and the builders that return them. Pure.

read, journals, probe, connections: ask, and change nothing
upload, service, history: change a host     base: an app's lock, exit codes
lock: the environment's lock     rehearsal, start_trial: try a release     worker_check: a worker
all of them -> script -> *.sh
"""
