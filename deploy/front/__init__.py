"""A request from the workstation, as a user's browser sends it: to a listener, by its own name.

proxies (which of the environment's) -> client (one request, in one time)

Messages:
    When: The load balancer is asked from the workstation
    Fleet: As the step says that asked.
    Do: See that this workstation reaches the listener: its name, its certificate, a proxy between.
"""
