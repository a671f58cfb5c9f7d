"""What a host holds and says, and how it is reached.

probe: what a port is asked -> scripts: what is sent -> ssh: how it gets there
route -> ssh: by which way; refusals -> ssh: why a login failed, in words
ssh -> lock: who may send it
records, release_stack, notes: what a host remembers of deploys
ownership and others read what comes back
"""
