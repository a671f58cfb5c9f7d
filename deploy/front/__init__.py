"""A request from the workstation to the load balancer, as a user's browser sends it.

proxies (the HTTP proxy to use) -> client (one request, within one time limit)

Messages:
    When: The load balancer is asked from the workstation
    Fleet: As the step says that asked.
    Do: See that this workstation reaches the listener: its name, its certificate, a proxy between.
"""
