"""What an operator types and sees: the verbs, the question, the screen.

verbs -> session (opens), rollout (runs) -> screen -> live, tables
"""
