"""Measures an AWS account by one host: out of its target groups and in again, twice. Pure.

rounds: the plan for it     watch: its steps     findings: suggestions     trace: figures as a file

Messages:
    When: A host is measured
    Fleet: Before its first round nothing was changed. Later the report says whether the host is in
        service.
    Do: `inv status --env prod` shows it; `inv repair --env prod` returns it to service.
"""
