"""What each command does.

changes (their plans) → pipeline (look, ask, do, report) → rollout, signals → conclusion
status, lock (those that only look, or decide)

Messages:
    When: A command's own options are read, and its answers
    Fleet: Nothing was changed. Where `inv lock.break` could not reach all hosts, the lock may be
        broken on some of them.
    Do: Correct the option that is named. `inv lock.status --env prod` shows whether the lock is
        gone.
"""
