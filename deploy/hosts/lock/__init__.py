"""One deploy at a time: a lock on a majority of an environment's hosts.

lease -> claim (takes it), heartbeat (keeps it), watch (other holders) -> view -> many_hosts
holder: who holds it     witness: whether a holder on this machine has ended
progress: how far the holder's run is     decision: what a person decided about it

Messages:
    When: The lock is taken and kept
    Fleet: Where another deploy holds the lock, this command changed nothing. Where the lock was
        lost, this command changes nothing any more: the other deploy finds what was left, and
        decides about it.
    Do: `inv lock.status --env prod` shows the holder, and whether it is alive. Wait with
        `--wait-lock 15m`. Only if no deploy runs: `inv lock.break --env prod --reason "its CI job
        was cancelled"`.
"""
