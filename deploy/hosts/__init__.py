"""What a host holds and says, and how it is reached.

scripts: what is sent -> ssh: how it gets there -> lock: who may send it
records, release_stack, notes: what a host remembers of deploys
ownership and others read what comes back
"""
