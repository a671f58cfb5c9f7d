"""What is looked at before anything else: all that can be wrong at once, as one list.

refusals  what is wrong, kept until everything that does not depend on it was looked at
aws       account, target groups and hosts, asked in parallel
machines  each host: its key, the login, sudo, what it lacks
packages  what is to be deployed
together  packages and hosts that were read
doctor    the looks of `inv check`, whose findings all have a remedy

Messages:
    When: All is looked at before the first change
    Fleet: Nothing was changed.
    Do: `inv check --env prod` repeats all looks, and has a remedy for each finding.
"""
