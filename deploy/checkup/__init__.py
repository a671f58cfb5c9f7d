"""What is looked at before anything else: all that can be wrong at once, as one list.

refusals            what is wrong, kept until everything else was looked at too
aws                 the account, its target groups and hosts, asked in parallel
machines            each host: its key, the login, sudo, what it lacks
packages            the packages to deploy
hosts_and_packages  both at once, and one list of what is wrong with them
doctor              the checks of `inv check`, whose findings all have a remedy

Messages:
    When: All is looked at before the first change
    Fleet: Nothing was changed.
    Do: `inv check --env prod` repeats all looks, and has a remedy for each finding.
"""
