"""A request from the workstation, as a user's browser sends it: to a listener, by its own name.

proxies (which of the environment's) -> client (one request, in one time)
"""
