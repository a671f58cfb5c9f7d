"""What an operator types: the commands and their options, as Invoke's tasks.

tasks -> changing, looking (the commands) -> options
invoke_patch: usage errors and exit codes     early_end: a command that ends without a report
completion: for shells -> known_names; shells/ has a script for each

Messages:
    When: The command line is read
    Fleet: Not touched.
    Do: `inv help` lists the commands, and `--help` after one lists its options.
"""
