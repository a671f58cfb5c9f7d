"""What an operator types: the commands, their options, and what happens around a run.

tasks, options (how they are typed) -> commands, lock_commands, looking
    -> session (opens) -> vetting; rollout (runs), conclusion; arguments: what was typed
"""
