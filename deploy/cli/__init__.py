"""What an operator types: the commands, their options, and what happens around a run.

tasks (options, help) -> commands, lock_commands -> session (opens), rollout (runs), conclusion
"""
