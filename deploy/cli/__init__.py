"""What an operator types: the commands and their options, as Invoke's tasks.

tasks -> changing, looking (the commands) -> options
    -> invoke_patch, early_end (a command that ends without a report)
    -> completion (what a shell may complete) -> known_names; shells (a script for each)

Messages:
    When: The command line is read
    Fleet: Not touched.
    Do: `inv help` lists the commands, and `--help` after one lists its options.
"""
