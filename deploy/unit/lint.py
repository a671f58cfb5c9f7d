"""Warnings about lines of a unit that lead to failed requests or a dead service."""

from __future__ import annotations

from deploy.unit import syntax


def lint(text: str, longest_request_seconds: float | None = None) -> tuple[str, ...]:
    """Warn of what a user's template says that ends in failed requests or a dead service.

    `text` is the rendered unit; the stop timeout is judged where the longest request is known.
    """
    said = dict(syntax.assignments(text, "Service"))
    warnings = []
    if said.get("KillSignal") in {"SIGINT", "2"}:
        warnings.append("KillSignal=SIGINT: a host with UseSystemd() ignores it; use SIGTERM")
    if said.get("MemoryDenyWriteExecute") in {"yes", "true", "on", "1"}:
        warnings.append("MemoryDenyWriteExecute=yes: a JIT such as .NET's cannot run; remove it")
    if said.get("Restart") != "always":
        warnings.append("Restart=always is absent: a service that ends stays down; add it")
    stop = syntax.seconds(said.get("TimeoutStopSec", ""))
    if stop is not None and longest_request_seconds is not None and stop < longest_request_seconds:
        warnings.append(
            f"TimeoutStopSec={said['TimeoutStopSec']} is below the longest request "
            f"({longest_request_seconds:g} s): such requests are cut; raise it",
        )
    return tuple(warnings)
