"""What was typed, and the account, hosts and connections that it is about.

arguments (options, settings) → session (opens all) → scaling, vetting (what AWS says against it)

Messages:
    When: What was typed meets the settings and AWS
    Fleet: Nothing was changed.
    Do: Correct the option that is named; `--help` after a command lists its options.
"""
