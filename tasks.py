"""The tasks of this clone: Changeover's commands, and the lab's. `inv help` explains them.

Your own project needs the first import alone: see docs/install.md.
"""

from __future__ import annotations

from changeover import namespace
from lab.tasks import namespace as lab

namespace.add_collection(lab)

__all__ = ["namespace"]
