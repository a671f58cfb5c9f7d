"""The AWS account: its instances, its target groups, and their scaling groups.

api -> instances, scaling_groups -> inventory, members (of scaling groups, meanwhile)
api -> target_groups -> targets (values)
target_groups -> health_poller (reads), registrar (writes), other_groups (those not named)

Messages:
    When: AWS is asked
    Fleet: Before the first batch, nothing was changed. Later, a call that failed is tried again
        for up to a minute; then it counts as the failure of the host that needed it, which is
        restored.
    Do: `inv check --env prod` asks for each permission and setting in one run. Renew credentials
        that have ended, and type the same command again.
"""
