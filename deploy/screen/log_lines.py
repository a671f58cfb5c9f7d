"""A run as plain lines with date, time and zone: in CI, and where output is no terminal."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Self

from deploy.events.event import BatchBegan, HostEnded, HostFailed, HostSaid, StepBegan, StepEnded
from deploy.events.planned import PlanMade
from deploy.events.question import QuestionAnswered, QuestionAsked
from deploy.events.recovery import RecoveryBegan
from deploy.folding import listed
from deploy.foreign_text import line, visible
from deploy.hooks import words
from deploy.screen.ci.groups import Groups
from deploy.screen.run import failures
from deploy.screen.run.line import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from deploy.events.event import Entry, Event


QUIET_SECONDS = 5.0
MOST_OF_A_COMMAND = 200
NAMED = 3
"""So many hosts are named in a group's title; its first line names all of them."""
_REASON = re.compile(r" \([^()]*\)")


def clock(at: float | None = None) -> str:
    """ISO time with its zone, to begin a line with; at: unix seconds, now where it is left out."""
    moment = datetime.fromtimestamp(time.time() if at is None else at).astimezone()
    return moment.isoformat(timespec="seconds")


class LogLines:
    """Plain lines, one for each step's end; long waits say so every few seconds.

    A failure is followed by its cause. A target's state and the reason are shown when they change.
    """

    def __init__(self, say: Callable[[str], None], groups: Groups | None = None) -> None:
        """Say nothing yet; groups: what the log of a CI system is divided into."""
        self._say = say
        self._groups = groups or Groups()
        self._said: dict[str, float] = {}
        self._waits: dict[str, str] = {}
        self._health: dict[tuple[str, str], str] = {}
        self._failed: set[tuple[str, str, str]] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._groups.end(time.time())

    def __call__(self, entry: Entry) -> None:
        """Hear one entry; a stream passes them one after the other."""
        at = entry.at
        match entry.event:
            case PlanMade(staging=staging) if staging:
                self._groups.begin(f"staging: {_hosts([each.host for each in staging])}", at)
            case BatchBegan(number, total, hosts):
                self._groups.begin(f"batch {number} of {total}: {_hosts(hosts)}", at)
                self._line(at, f"batch {number} of {total}: {', '.join(map(visible, hosts))}")
            case StepBegan(host=host):
                self._said[host] = at
                self._waits.pop(host, None)
            case StepEnded() as step:
                self._step_ended(at, step)
            case HostSaid() as said:
                self._host_said(at, said)
            case HostFailed() as failure:
                self._host_failed(at, failure)
            case RecoveryBegan() as began:
                cause = HostFailed(began.host, began.step, began.error, "", began.exit_code)
                self._host_failed(at, replace(cause, journal=began.journal, health=began.health))
            case HostEnded(host, outcome):
                self._line(at, f"{visible(host)}: {outcome}")
            case event:
                self._of_user(at, event)

    def _of_user(self, at: float, event: Event) -> None:
        """What people, and what they wrote, have to do with it; no group hides it."""
        if isinstance(event, QuestionAsked):
            self._unfolded(at, [plain(each) for each in failures.question(event)])
        if isinstance(event, QuestionAnswered):  # the host may fail in the same way again
            self._failed = {each for each in self._failed if each[0] != event.host}
        self._unfolded(at, words.lines(event))

    def _step_ended(self, at: float, step: StepEnded) -> None:
        """How a step ended; an error stands outside of the group."""
        slot = (step.host, step.app)
        is_new = step.health and self._health.get(slot) != step.health
        health = f" [{visible(step.health)}]" if is_new else ""
        self._health[slot] = step.health
        begin = f"{visible(step.host)}: {step.step}: "
        if step.error:
            first, *rest = step.error.split("\n")
            self._unfolded(at, [f"{begin}FAILED: {first}{health}", *_indented(step.host, rest)])
        else:
            end = "stopped" if step.is_stopped else f"{step.seconds:.1f} s"
            self._line(at, f"{begin}{end}{health}")

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
        return f"{_REASON.sub('', what)}, {progress}"

    def _host_failed(self, at: float, failure: HostFailed) -> None:
        """Why a host failed, at once, and beside the log where a CI system has a place for it.

        What is known only later, such as how its recovery ended, is added then.
        """
        host, name = failure.host, (failure.host, failure.step, failure.error)
        undone = _indented(host, [f"then: {each}" for each in failure.undone])
        if name in self._failed:
            self._unfolded(at, undone)
            return
        self._failed.add(name)
        ended = "not done" if failure.is_stop else "failed"
        first, *more = failure.error.split("\n")
        if failure.exit_code is not None:
            command = visible(" ".join(failure.command.split()), MOST_OF_A_COMMAND)
            more.append(f"exit code {failure.exit_code}" + (f" of: {command}" if command else ""))
        more += [f"| {each}" for each in failure.journal]
        more += [f"load balancer: {failure.health}"] if failure.health else []
        title = f"{visible(host)}: {failure.step} {ended}"
        self._unfolded(at, [f"{title}: {first}", *_indented(host, more), *undone])
        if not failure.is_stop:
            self._groups.error(title, "\n".join(map(visible, [first, *more])))

    def _line(self, at: float, text: str) -> None:
        self._groups.enter(at)
        self._say(f"{clock(at)} {line(text)}")

    def _unfolded(self, at: float, texts: Sequence[str]) -> None:
        """Lines that no group hides."""
        if texts:
            self._groups.leave(at)
        for text in texts:
            self._say(f"{clock(at)} {line(text)}")


def _hosts(names: Sequence[str]) -> str:
    """The hosts of a group, in its title."""
    shown = [visible(name) for name in names]
    return listed(shown) if len(shown) > NAMED else ", ".join(shown)


def _indented(host: str, texts: Sequence[str]) -> list[str]:
    """Further lines about a host, which name it too: a log is searched line by line."""
    return [f"{visible(host)}:   {visible(text)}" for text in texts]
