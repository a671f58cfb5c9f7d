"""Settings, packages and a survey become a plan, as data: it decides and touches nothing. Pure.

candidate, staging -> assembly (order, host_steps -> host_plan) -> plan
preflight -> fitness, exclusion: what is refused, and which hosts are left out
capacity, advice, description: what is allowed, warned of, and said in a plan's first lines
"""
