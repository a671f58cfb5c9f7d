"""What is on a host, and how the host is reached.

scripts: what a host is sent     ssh: how it is sent     route: on which way (jump hosts, proxies)
refusals: why a login failed     probe: what a port is asked     lock: which deploy may change hosts
records, release_stack, marks, notes, logbook, once: what a host remembers of deploys
file_format: the version of these files     shown_key: the host key that a machine shows
programs, ownership, lstat, service_user: what a deploy needs there, and who could change it
host_trial, instance_identity, replaced_unit: other checks of a host

Messages:
    When: A host is reached and read
    Fleet: Before the first batch, nothing was changed. Later, a connection that broke is tried
        again for up to a minute; then the host counts as failed, and is restored as soon as it
        answers. `inv repair --env prod` does so where the deploy could not.
    Do: `inv check --env prod` names what is wrong with all hosts, with a remedy for each. A host
        that stays broken is left out with `--skip-host`.
"""
