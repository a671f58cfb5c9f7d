"""What a survey says of an environment, as plain values for `inv status`. Pure.

row (an app on a host) -> drift, row_notes     in_service (how many of how many, by group and zone)
lock_seen (its holder)     changes_seen (what is new of its run)     advice (what to type next)
"""
