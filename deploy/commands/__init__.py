"""What each command does.

changes (how each makes its plan) → pipeline (survey, plan, question, run, report) → rollout
rollout → signals, answering (about failed hosts), take_back → conclusion
change: such a command as a value     lock, report, observation: single commands
hook_lines: lines about hooks beside the views of a run
looking, records, setup: groups of commands

Messages:
    When: A command's own options are read, and its answers
    Fleet: Nothing was changed. Where `inv lock.break` could not reach all hosts, the lock may be
        broken on some of them.
    Do: Correct the option that is named. `inv lock.status --env prod` shows whether the lock is
        gone.
"""
