"""The fast tests see the project and each other's builders from wherever pytest is started."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

TESTS = Path(__file__).parent

for folder in (TESTS.parent, TESTS):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

settings.register_profile("project", deadline=None, max_examples=60)
settings.load_profile("project")
