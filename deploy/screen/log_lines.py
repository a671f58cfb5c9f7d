"""A run as plain lines with date, time and zone: in CI, and where output is no terminal."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Self

from deploy.aws.targets import GONE
from deploy.events.event import (
    BatchBegan,
    HostEnded,
    HostFailed,
    HostSaid,
    LockTaken,
    StepBegan,
    StepEnded,
)
from deploy.events.planned import PlanMade
from deploy.events.question import QuestionAnswered, QuestionAsked
from deploy.events.recovery import RecoveryBegan
from deploy.events.user import HookBegan
from deploy.folding import listed
from deploy.foreign_text import line, visible
from deploy.hooks import words
from deploy.screen.ci.groups import Groups
from deploy.screen.ci.order import Order
from deploy.screen.run import failures, header
from deploy.screen.run.line import plain
from deploy.screen.run.rows import REASON
from deploy.screen.run.state import RunState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.events.event import Entry, Event


QUIET_SECONDS = 5.0
MOST_OF_A_COMMAND = 200
NAMED = 3
"""So many hosts are named in a group's title; its first line names all of them."""


def clock(at: float | None = None) -> str:
    """ISO time with its zone, to begin a line with; at: unix seconds, now where it is left out."""
    moment = datetime.fromtimestamp(time.time() if at is None else at).astimezone()
    return moment.isoformat(timespec="seconds")


@dataclass
class _Shown:
    """What of a failure was said: its evidence, and whether the CI system has it as an error."""

    lines: set[str] = field(default_factory=set)
    is_annotated: bool = False


class LogLines:
    """Plain lines, one for each step's end; long waits say so every few seconds.

    A failure is followed at once by its cause. A target's state and the reason are shown when they
    change.
    """

    def __init__(self, say: Callable[[str], None], groups: Groups | None = None) -> None:
        """Say nothing yet; groups: what the log of a CI system is divided into."""
        self._say = say
        self._groups = groups or Groups()
        self._state, self._order = RunState(), Order()
        self._said: dict[str, float] = {}
        self._waits: dict[str, str] = {}
        self._health: dict[tuple[str, str], str] = {}
        self._failures: dict[tuple[str, str], _Shown] = {}
        self._is_ending = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for entry in self._order.rest():
            self._hear(entry)
        self._groups.end(time.time())

    def __call__(self, entry: Entry) -> None:
        """Hear one entry; a stream passes them one after the other."""
        for due in self._order(entry):
            self._hear(due)

    def _hear(self, entry: Entry) -> None:
        at = entry.at
        self._state(entry)
        match entry.event:
            case PlanMade(staging=staging) if staging:
                self._groups.begin(f"staging: {_hosts([each.host for each in staging])}", at)
            case BatchBegan(number, total, hosts):
                self._groups.begin(f"batch {number} of {total}: {_hosts(hosts)}", at)
                text = f"batch {number} of {total}: {', '.join(map(visible, hosts))}"
                self._line(at, "; ".join((text, *header.progress(self._state, at, batch=False))))
            case StepBegan(host=host):
                self._said[host] = at
                self._waits.pop(host, None)
            case StepEnded() as step:
                self._step_ended(at, step)
            case HostSaid() as said:
                self._host_said(at, said)
            case HostFailed() as failure:
                self._failed(at, failure)
            case RecoveryBegan() as began:
                self._recovery(at, began)
            case HostEnded(host, outcome):
                self._line(at, f"{visible(host)}: {outcome}{self._count()}")
            case event:
                self._of_user(at, event)
        self._policy(at)

    def _count(self) -> str:
        """How many hosts' parts are over, where a plan says of how many."""
        state = self._state
        return f" ({state.ended}/{len(state.hosts)} hosts)" if state.plan else ""

    def _of_user(self, at: float, event: Event) -> None:
        """What people, and what they wrote, have to do with it; no group hides it."""
        if isinstance(event, QuestionAsked):
            self._unfolded(at, [plain(each) for each in failures.question(event)])
        if isinstance(event, QuestionAnswered):  # the host may fail in the same way again
            kept = {key: shown for key, shown in self._failures.items() if key[0] != event.host}
            self._failures = kept
        if isinstance(event, HookBegan) and words.is_gate(event):
            self._unfolded(at, [words.waiting(event, 0)])
        if isinstance(event, LockTaken):
            self._unfolded(at, [header.TAKEN_OVER])
        self._unfolded(at, words.lines(event))

    def _step_ended(self, at: float, step: StepEnded) -> None:
        """How a step ended; an error stands outside of the group, and its cause follows."""
        slot = (step.host, step.app)
        is_new = step.health and self._health.get(slot) != step.health
        self._health[slot] = step.health
        if step.error:
            self._heading(at, step.host, step.step, step.error)
            return
        health = f" [{visible(step.health)}]" if is_new else ""
        end = "stopped" if step.is_stopped else f"{step.seconds:.1f} s"
        self._line(at, f"{visible(step.host)}: {step.step}: {end}{health}")

    def _host_said(self, at: float, said: HostSaid) -> None:
        """What a host does: remarks and journals at once, and waits every few seconds."""
        is_due = at - self._said.get(said.host, 0) >= QUIET_SECONDS
        if is_due or said.is_remark or said.text.startswith("|"):
            self._said[said.host] = at
            self._line(at, f"{visible(said.host)}: {visible(self._without_known(said))}")

    def _without_known(self, said: HostSaid) -> str:
        """A wait's text without a reason that was given before: `target initial, 10 of 60 s`."""
        what, comma, progress = said.text.rpartition(", ")
        if not comma or what != self._waits.get(said.host):
            self._waits[said.host] = what
            return said.text
        return f"{REASON.sub('', what)}, {progress}"

    def _heading(self, at: float, host: str, step: str, error: str, how: str = "FAILED") -> None:
        """What failed on a host and its error, once."""
        if (host, step) in self._failures:
            return
        self._failures[host, step] = _Shown()
        first, *rest = error.removeprefix(f"{host}: ").split("\n")
        self._unfolded(at, [f"{visible(host)}: {step}: {how}: {first}", *_indented(host, rest)])

    def _recovery(self, at: float, began: RecoveryBegan) -> None:
        cause = HostFailed(began.host, began.step, began.error, began.command, began.exit_code)
        self._failed(at, replace(cause, journal=began.journal, health=began.health))
        goal = began.goal or "its recovery begins"
        self._unfolded(at, _indented(began.host, [f"now: {goal}"]))

    def _failed(self, at: float, failure: HostFailed) -> None:
        """Why a host failed, at once, and beside the log where a CI system has a place for it.

        What is known only later is added then. The steps of a recovery have lines of their own.
        """
        host, step = failure.host, failure.step
        self._heading(at, host, step, failure.error, "not done" if failure.is_stop else "FAILED")
        shown, evidence = self._failures[host, step], _evidence(failure)
        new = [each for each in evidence if each not in shown.lines]
        shown.lines |= {*new}
        again = (each for each in failure.undone if failures.FAILED_AGAIN in each)
        unseen = (each for each in again if not self._is_shown(host, each))
        self._unfolded(at, _indented(host, [*new, *unseen]))
        if not (shown.is_annotated or failure.is_stop):
            shown.is_annotated = True
            error = failure.error.removeprefix(f"{host}: ").split("\n")
            title = f"{visible(host)} failed: {step}"
            self._groups.error(title, "\n".join(map(visible, [*error, *evidence])))

    def _is_shown(self, host: str, undone: str) -> bool:
        """Whether a step of a recovery that failed has a line of its own already."""
        return (host, undone.split(failures.FAILED_AGAIN, maxsplit=1)[0]) in self._failures

    def _policy(self, at: float) -> None:
        """That no further batch begins, once it is so; of a signal the command itself says it."""
        state = self._state
        is_news = state.is_cut_short and not (self._is_ending or state.stop or state.is_lost)
        self._is_ending = state.is_cut_short
        if is_news:
            self._unfolded(at, [failures.NO_FURTHER])

    def _line(self, at: float, text: str) -> None:
        self._groups.enter(at)
        self._say(f"{clock(at)} {line(text)}")

    def _unfolded(self, at: float, texts: Sequence[str]) -> None:
        """Lines that no group hides."""
        if texts:
            self._groups.leave(at)
        for text in texts:
            self._say(f"{clock(at)} {line(text)}")


def _evidence(failure: HostFailed) -> list[str]:
    """What the command, the unit's journal and the load balancer have to do with a failure."""
    found = []
    if failure.exit_code is not None:
        command = visible(" ".join(failure.command.split()), MOST_OF_A_COMMAND)
        found.append(f"exit code {failure.exit_code}" + (f" of: {command}" if command else ""))
    found += [f"| {each}" for each in failure.journal]
    if failure.health and GONE.reason not in failure.health:
        found.append(f"load balancer: {failure.health}")
    return found


def _hosts(names: Sequence[str]) -> str:
    """The hosts of a group, in its title."""
    shown = [visible(name) for name in names]
    return listed(shown) if len(shown) > NAMED else ", ".join(shown)


def _indented(host: str, texts: Sequence[str]) -> list[str]:
    """Further lines about a host, which name it too: a log is searched line by line."""
    return [f"{visible(host)}:   {visible(text)}" for text in texts]
