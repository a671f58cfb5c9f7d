"""What a plan will change, and what serves meanwhile, before any of it is done.

comparison (the plan, with what hosts have now) -> event_parts (of the event that a plan is)
"""
