"""Changeover: zero-downtime deploys to Linux VMs behind an AWS load balancer.

A package imports only what stands to its left:

    errors, retry < events < unit < settings < hooks < package < aws < front < hosts < survey
        < steps < difference < plan < recovery < observe < smoke < checkup < starter < run < screen
        < page < session < commands < cli

Internal: what others may import is in the package `changeover`.
"""

__version__ = "0.1.0"
"""The version; pyproject.toml reads it from here."""
