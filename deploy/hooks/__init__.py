"""Programs of the user's own that run on the workstation as a run goes on.

folder (which there are) → hook (runs one) → runner (which one is due, and what its failure means)
words (what is said of hooks, and of pauses for a decision)

Messages:
    When: Hooks are found and run
    Fleet: Nothing was changed if a hook cannot be run, or `pre-deploy` failed. If `pre-batch`
        failed, no further batch begins, and `on_failure:` decides about the hosts that are done. A
        later hook that fails changes nothing.
    Do: Repair the hook: its output is above. `inv deploy --env prod` goes on with the hosts that
        are left.
"""
