"""What failed in a run, and what was done about it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.events.event import HostFailed
from deploy.events.planned import PlanMade
from deploy.events.recovery import RecoveryBegan
from deploy.folding import listed, without_name
from deploy.screen.run import why
from deploy.screen.run.failures import FAILED_AGAIN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from deploy.events.event import Entry

MOST_OF_A_COMMAND = 200


@dataclass(frozen=True)
class JournalLine:
    """A line of a journal.

    Attributes:
        text: As the journal has it.
        is_cause: Whether it says best of all why the service failed.
    """

    text: str
    is_cause: bool = False


@dataclass(frozen=True)
class Failed:
    """Why a host's part failed, as a page shows it.

    Attributes:
        title: On which hosts what failed.
        lines: The error; more than one line where it has details.
        command: What the host ran, shortened; empty where that is not what failed.
        exit_code: Of the command.
        journal: The last lines of the unit's journal.
        health: The state of its target, and the reason.
        undone: What was done about it.
        goal: Where that was still going on at the last event, what it leads to; else empty.
    """

    title: str
    lines: tuple[str, ...]
    command: str
    exit_code: int | None
    journal: tuple[JournalLine, ...]
    health: str
    undone: tuple[str, ...]
    goal: str = ""


def failures(entries: Iterable[Entry]) -> tuple[Failed, ...]:
    """What failed, in order, the same on several hosts once, with the first one's journal.

    A failure whose recovery had not ended at the last event is one too. Hosts that were left out
    from the start come last.
    """
    known: list[HostFailed] = []
    recovering: dict[str, RecoveryBegan] = {}
    left_out: set[str] = set()
    for entry in entries:
        match entry.event:
            case PlanMade() as plan:
                left_out |= plan.left_out.keys()
            case RecoveryBegan() as began:
                recovering[began.host] = began
            case HostFailed() as failed:
                recovering.pop(failed.host, None)
                known.append(failed)
            case _:
                pass
    alike: dict[tuple[str, str, bool], list[HostFailed]] = {}
    for each in sorted(known, key=lambda it: it.host in left_out and not it.journal):
        cause = without_name(each.error, each.host)
        alike.setdefault((each.step, cause, each.is_stop), []).append(each)
    return (*map(_failed, alike.values()), *map(_recovering, recovering.values()))


def _failed(alike: Sequence[HostFailed]) -> Failed:
    failure, names = alike[0], list(dict.fromkeys(each.host for each in alike))
    hosts = failure.host if len(names) == 1 else listed(names)
    return Failed(
        title=f"{failure.step}: not done" if failure.is_stop else f"{hosts}: {failure.step}",
        lines=_lines(failure.error, failure.host),
        command=_cut(failure.command),
        exit_code=failure.exit_code,
        journal=_journal(failure.journal),
        health=failure.health,
        undone=(*failure.undone, *_failed_again(alike[1:])),
    )


def _failed_again(others: Iterable[HostFailed]) -> Iterator[str]:
    """Of the other hosts with the same failure, the steps of their recoveries that failed."""
    for each in others:
        yield from (f"{each.host}: {step}" for step in each.undone if FAILED_AGAIN in step)


def _recovering(began: RecoveryBegan) -> Failed:
    """A failure of which the events do not say how its recovery ended."""
    return Failed(
        title=f"{began.host}: {began.step}",
        lines=_lines(began.error, began.host),
        command=_cut(began.command),
        exit_code=began.exit_code,
        journal=_journal(began.journal),
        health=began.health,
        undone=began.steps,
        goal=began.goal or "its recovery began",
    )


def _cut(command: str) -> str:
    """A command in one line, or what there is space for."""
    text = " ".join(command.split())
    return text if len(text) <= MOST_OF_A_COMMAND else f"{text[: MOST_OF_A_COMMAND - 1]}…"


def _lines(error: str, host: str) -> tuple[str, ...]:
    return tuple(without_name(error, host).removeprefix(": ").split("\n"))


def _journal(lines: Sequence[str]) -> tuple[JournalLine, ...]:
    """The lines, and which of them says why."""
    cause = why.line(lines)
    places = [number for number, each in enumerate(lines) if cause and why.line([each]) == cause]
    return tuple(JournalLine(each, number in places[-1:]) for number, each in enumerate(lines))
