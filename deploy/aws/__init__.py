"""The AWS account: its instances, its target groups, its Auto Scaling groups.

api -> instances, scaling_groups -> listed, inventory (hosts) -> typed_names
members: what Auto Scaling does with hosts meanwhile     permissions: the calls as an IAM policy
api -> target_groups -> targets (values), group_settings
target_groups -> health_poller (reads), registrar (writes), other_groups (not in the settings)

Messages:
    When: AWS is asked
    Fleet: Before the first batch, nothing was changed. Later, a call that failed is tried again
        for up to a minute; then it counts as the failure of the host that needed it, which is
        restored.
    Do: `inv check --env prod` asks for each permission and setting in one run. Renew credentials
        that have ended, and type the same command again.
"""
