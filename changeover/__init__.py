"""Changeover for your own project: its tasks, its version, and its command.

A tasks.py of two lines has all of Changeover's commands; `inv help` shows them:

    from changeover import namespace
    __all__ = ["namespace"]
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from invoke import Exit

_HERE = Path(__file__).parents[1] / "deploy"


class NameTaken(ImportError, Exit):
    """Another module is called `deploy`; Invoke prints the message, and ends with 2."""

    def __init__(self, message: str) -> None:
        ImportError.__init__(self, message, name="changeover")
        Exit.__init__(self, message, 2)


def _load_deploy() -> None:
    """Make `deploy` ours, whatever else of this name is on Python's path.

    `inv` puts the project's folder first on the path, and that may have a folder `deploy/` too.
    Raises NameTaken where another package of this name is loaded already.
    """
    loaded = sys.modules.get("deploy")
    if loaded is not None:
        folders = [Path(folder) for folder in getattr(loaded, "__path__", ())]
        if not any(folder.exists() and folder.samefile(_HERE) for folder in folders):
            raise NameTaken(
                f"a module named deploy is loaded from {loaded.__file__ or folders},"
                " and Changeover's own has that name too: import changeover before it, or use "
                "the command `changeover`, which loads no tasks.py"
            )
        return
    spec = importlib.util.spec_from_file_location(
        "deploy", _HERE / "__init__.py", submodule_search_locations=[str(_HERE)]
    )
    assert spec  # noqa: S101 - a file that ends with .py has a loader
    assert spec.loader  # noqa: S101 - the same
    package = importlib.util.module_from_spec(spec)
    sys.modules["deploy"] = package
    spec.loader.exec_module(package)


_load_deploy()

from deploy import __version__  # noqa: E402 - once it is ours
from deploy.cli.tasks import main, namespace  # noqa: E402 - the same

__all__ = ["__version__", "main", "namespace"]
