"""What `inv status` shows of an environment, as plain values. Pure.

row (an app on a host) -> drift, row_notes     in_service (healthy targets by group and zone)
lock_seen (the lock's holder)     changes_seen (news since the last look)     advice (what to type)
"""
