"""Settings, packages and a survey become a plan, as data: it decides and touches nothing. Pure.

candidate, staging -> assembly (order, host_steps -> host_plan) -> plan
preflight -> fitness, exclusion: what is refused, and which hosts are left out
capacity, advice: what is allowed, and warned of
"""
