"""A wall of the threat model: an attack that must find nothing, and the same attack without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Attempt:
    """What an attack found.

    Attributes:
        tried: How many inputs were tried.
        findings: One sentence for each input that got through; empty where the wall held.
        figure: What was measured, with its unit: `score 1.4`, `at most 1.0 MB read`.
    """

    tried: int
    findings: tuple[str, ...] = ()
    figure: str = ""


@dataclass(frozen=True)
class Wall:
    """One wall, with the attack on it.

    Attributes:
        name: What is guarded, in a few words: `answers of a host`.
        attack: Runs the attack against the product as it is.
        control: Runs the same attack with the wall removed; it must find something.
        needs_lab: Whether the attack needs the lab's real hosts.
    """

    name: str
    attack: Callable[[], Attempt]
    control: Callable[[], Attempt]
    needs_lab: bool = False
