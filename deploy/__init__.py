"""Changeover: zero-downtime deploys to Linux VMs behind an AWS load balancer.

A package imports only what stands to its left:

    errors, retry < events < unit < settings < hooks < package < aws < front < hosts < survey
        < steps < difference < plan < once < recovery < observe < smoke < checkup < starter
        < preview < run < screen
        < page < session < commands < cli

Internal: what others may import is in the package `changeover`.

Messages:
    When: At any moment
    Fleet: The message says so if nothing was changed. If it does not, `inv status --env prod`
        shows what runs where.
    Do: Write a file that cannot be read in a simpler way. A defect is ours: run the command again
        with CHANGEOVER_DEBUG=1, and report the traceback.
"""

__version__ = "0.1.0"
"""The version; pyproject.toml reads it from here."""
