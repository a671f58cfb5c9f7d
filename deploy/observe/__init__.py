"""What one target shows of an AWS account: out of its groups and in again, twice. Pure.

rounds: the plan for it     watch: its steps     findings: what follows     trace: without names

Messages:
    When: A host is measured
    Fleet: Before its first round nothing was changed. Later the report says whether the host is in
        service.
    Do: `inv status --env prod` shows it; `inv repair --env prod` returns it to service.
"""
