"""Settings, packages and a survey become a plan, as data: it decides and touches nothing. Pure.

choice (which package) -> candidate; staging
candidate -> assembly (order, host_steps -> host_plan) -> plan
preflight -> fitness, exclusion: what is refused, and which hosts are left out
capacity: what stays in service     advice: warnings

Messages:
    When: A plan is made
    Fleet: Nothing was changed.
    Do: The message has the option or the setting with which the deploy goes on, where that is
        safe. `inv deploy --env prod --dry-run` tries again without a change.
"""
