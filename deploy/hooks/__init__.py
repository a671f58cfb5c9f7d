"""Programs of the user's that run on the workstation while a run goes on.

folder (finds them) → hook (runs one) → runner (decides which is due, and what a failure means)
words: sentences about hooks and pauses

Messages:
    When: Hooks are found and run
    Fleet: Nothing was changed if a hook cannot be run, or `pre-deploy` failed. If `pre-batch`
        failed, no further batch begins, and `on_failure:` decides about the hosts that are done. A
        later hook that fails changes nothing.
    Do: Repair the hook: its output is above. `inv deploy --env prod` goes on with the hosts that
        are left.
"""
