"""What a host holds and says, and how it is reached.

probe: what a port is asked -> scripts: what is sent -> ssh: how it gets there
route -> ssh: by which way; refusals -> ssh: why a login failed, in words
ssh -> lock: who may send it
records, release_stack, notes: what a host remembers of deploys
ownership and others read what comes back

Messages:
    When: A host is reached and read
    Fleet: Before the first batch, nothing was changed. Later, a connection that broke is tried
        again for up to a minute; then the host counts as failed, and is restored as soon as it
        answers. `inv repair --env prod` does so where the deploy could not.
    Do: `inv check --env prod` names what is wrong with all hosts, with a remedy for each. A host
        that stays broken is left out with `--skip-host`.
"""
