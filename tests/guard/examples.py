"""How many examples of each kind are tried: few in the fast tests, 10,000 by `make guard`."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

FEW = 30
"""As many as take the fast tests some seconds in all."""
of_each = settings(
    max_examples=int(os.environ.get("EXAMPLES", FEW)),
    derandomize="EXAMPLES" not in os.environ,  # what is drawn anew is found by `make guard`
    suppress_health_check=[HealthCheck.too_slow],  # on a machine that does other work too
)
"""Decorates a test. `EXAMPLES=10000 pytest tests/guard` is what `make guard` does."""
