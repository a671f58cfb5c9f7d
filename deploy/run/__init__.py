"""Executes a plan: batches, a thread for each host, and the report of how it ended.

executor -> preliminary (what is run once)
         -> batch_gate -> capacity_gate (may a batch begin?), hold (wait for a person)
         -> host_runner (one host) -> progress, failed_step
         -> failed_hosts (what is decided about them) -> report
as_events: plans, steps and reports as events     as_record: the record that hosts keep

Messages:
    When: Batches begin and end
    Fleet: Hosts that are done keep the new release, unless `on_failure: rollback` took them back.
        The others are as they were. The report says what runs where.
    Do: Type what the report has under `next:`. `inv status --env prod` shows the fleet, also where
        the report was lost.
"""
