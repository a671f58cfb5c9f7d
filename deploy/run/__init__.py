"""Runs a plan: batches, a thread for each host, and the report of how it ended.

executor -> capacity_gate (before a batch), host_runner -> progress, failed_step -> report

Messages:
    When: Batches begin and end
    Fleet: Hosts that are done keep the new release, unless `on_failure: rollback` took them back.
        The others are as they were. The report says what runs where.
    Do: Type what the report has under `next:`. `inv status --env prod` shows the fleet, also where
        the report was lost.
"""
