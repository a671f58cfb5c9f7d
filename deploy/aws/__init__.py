"""The AWS account: its instances, its target groups, and their scaling groups.

api -> instances, scaling_groups -> inventory, members (of scaling groups, meanwhile)
api -> target_groups -> targets (values)
target_groups -> health_poller (reads), registrar (writes), other_groups (those not named)
"""
