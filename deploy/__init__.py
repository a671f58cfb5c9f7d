"""Changeover: zero-downtime deploys to Linux VMs behind an AWS load balancer.

A package imports only what stands to its left:

    errors, retry < unit < settings < package < aws < hosts < survey < steps < plan
        < recovery < run < cli
"""
