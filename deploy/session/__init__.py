"""What was typed, and the account, hosts and connections that it is about.

arguments (options, settings) → session (opens all) → scaling, vetting (what AWS says against it)
"""
