"""Smoke tests through the load balancer, as users ask, when the first batch serves.

tally (what an answer shows) -> through_balancer (the step) -> placing (where a plan has it)
through_balancer -> tried (the same of what serves, before anything is changed)
"""
