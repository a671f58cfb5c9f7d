"""What was typed, and the account, hosts and connections of a command.

arguments (options, settings) → session (opens all) → scaling, vetting (what speaks against a plan)
scratch: a temporary folder for a command

Messages:
    When: What was typed meets the settings and AWS
    Fleet: Nothing was changed.
    Do: Correct the option that is named; `--help` after a command lists its options.
"""
