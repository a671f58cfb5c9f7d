"""The AWS account: every API call, within limits, and its errors in our words.

transport, answers, errors -> account -> inventory, target_groups -> targets (values)
target_groups -> health_poller (reads), registrar (writes), other_groups (those not named)
"""
