"""Settings, packages and a survey become a plan, as data: it decides and touches nothing. Pure.

candidate, staging -> assembly (order, host_steps -> host_plan) -> plan
preflight, exclusion, capacity, advice: what is refused, left out, allowed and warned of
"""
