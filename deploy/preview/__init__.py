"""What a plan will change, and what serves meanwhile, before any of it is done.

comparison (of the plan with what hosts have) -> event_parts (both, for the plan's event)
"""
