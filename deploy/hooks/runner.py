"""Runs the hooks that are due: `pre-*` may stop the run, the others are informed of it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from deploy.durations import limit
from deploy.errors import BadInput, NotPermitted
from deploy.events.event import BatchBegan, Entry, HostEnded, RunEnded
from deploy.events.text import as_line
from deploy.events.user import HookBegan, HookEnded
from deploy.foreign_text import visible
from deploy.hooks import folder, hook
from deploy.hooks.folder import Moment
from deploy.hooks.words import described

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from deploy.events.event import Event, RunBegan
    from deploy.events.planned import PlanMade
    from deploy.settings.environment import Environment


UNGATED = {"repair", "observe"}
"""The commands that nothing may hold up."""
END_LOOK_SECONDS = 0.2
"""Where hooks are waited for, an end that the operator wants is noticed within this."""


@dataclass
class Runner:
    """The hooks of one run.

    Hooks that come after something wait in a line and run one after the other, beside the run, so
    that no host waits for them. Only `pre-batch` waits until this line is empty: it may look at
    what `post-host` did for the hosts before.

    Attributes:
        files: By the moment at which each runs.
        folder: The working directory: that of the settings file.
        limit_seconds: Of each.
        has_gates: Whether `pre-*` run: not before a repair, which nothing may hold back.
        variables: The same for all, by name.
        is_over: Whether the operator wants an end, which a gate is not waited for.
        now: Unix seconds, for the event that a hook hears.
    """

    files: Mapping[Moment, Path]
    folder: Path
    limit_seconds: float
    has_gates: bool = True
    variables: Mapping[str, str] = field(default_factory=dict)
    is_over: Callable[[], bool] = lambda: False
    now: Callable[[], float] = time.time
    _emit: Callable[[Event], None] | None = None
    _ended: list[HookEnded] = field(default_factory=list)
    _late: set[Moment] = field(default_factory=set)
    _line: SimpleQueue[Entry | threading.Event | None] = field(default_factory=SimpleQueue)
    _thread: threading.Thread | None = None

    @classmethod
    def none(cls) -> Self:
        """No hooks."""
        return cls({}, Path(), 1.0)

    @classmethod
    def of(cls, environment: Environment, verb: str) -> Self:
        """The hooks for a command; BadInput where a file of their folder could not run."""
        path = environment.path(environment.hooks)
        found = folder.find(path, is_expected="hooks" in environment.model_fields_set)
        has_gates = verb not in UNGATED
        return cls(found, environment.root, environment.hook_seconds, has_gates)

    def before_all(
        self, began: RunBegan, releases: Mapping[str, str], plan: Callable[[], PlanMade]
    ) -> None:
        """Nothing was changed yet; raises BadInput where the hook does not let it begin.

        releases: what each app shall run; plan: makes the event that the hook hears.
        """
        self.variables = variables(began, releases)
        if Moment.PRE_DEPLOY not in self.files:
            return
        if ended := self._ask(Moment.PRE_DEPLOY, plan(), {}):
            raise BadInput(*described(ended))

    def note_to(self, emit: Callable[[Event], None]) -> None:
        """The run has begun: from now on, and of those before, it is an event how each ends."""
        self._emit = emit
        while self._ended:
            emit(self._ended.pop(0))

    def before_batch(self, batch: BatchBegan) -> None:
        """A batch is due; raises NotPermitted where the hook does not let it begin."""
        more = {
            "CHANGEOVER_BATCH": str(batch.number),
            "CHANGEOVER_BATCHES": str(batch.total),
            "CHANGEOVER_HOSTS": " ".join(batch.hosts),
        }
        if self.has_gates and Moment.PRE_BATCH in self.files:
            self._wait_for_those_due()
        if ended := self._ask(Moment.PRE_BATCH, batch, more):
            raise NotPermitted(*described(ended))

    def waited_for(self, *moments: Moment) -> str:
        """What a screen shows while hooks of these moments are waited for; empty without one."""
        gates = () if self.has_gates else (Moment.PRE_DEPLOY, Moment.PRE_BATCH)
        names = [each.value for each in moments if each in self.files and each not in gates]
        if not names:
            return ""
        hooks, each = ("hooks", " each") if len(names) > 1 else ("hook", "")
        most = f"at most {limit(self.limit_seconds)}{each}"
        return f"waiting for {hooks} {', '.join(names)} ({most})"

    @staticmethod
    def let(_: BatchBegan) -> None:
        """Let every batch begin."""

    def __call__(self, entry: Entry) -> None:
        """Hear an entry of the run; returns at once."""
        if self.files and isinstance(entry.event, HostEnded | RunEnded):
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._line.put(entry)

    def close(self) -> None:
        """Wait for those that are due; each has its time limit."""
        if self._thread is not None:
            self._line.put(None)
            self._thread.join()

    def _wait_for_those_due(self) -> None:
        """Wait until the line is empty: each has its time limit, and an end waits for none."""
        if self._thread is None:
            return
        reached = threading.Event()
        self._line.put(reached)
        while self._thread.is_alive() and not reached.wait(END_LOOK_SECONDS):
            if self.is_over():
                return

    def _work(self) -> None:
        while (entry := self._line.get()) is not None:
            if isinstance(entry, threading.Event):
                entry.set()
                continue
            match entry.event:
                case HostEnded(host, outcome):
                    more = {"CHANGEOVER_HOST": host, "CHANGEOVER_OUTCOME": outcome}
                    self._run(Moment.POST_HOST, entry, more, host)
                case RunEnded(exit_code):
                    moment = Moment.ON_FAILURE if exit_code else Moment.POST_DEPLOY
                    self._run(moment, entry, {"CHANGEOVER_EXIT_CODE": str(exit_code)})
                case _:
                    pass

    def _ask(self, moment: Moment, event: Event, more: Mapping[str, str]) -> HookEnded | None:
        """How a gate ended that does not let it go on; None where it does."""
        if not self.has_gates:
            return None
        ended = self._run(moment, Entry(self.now(), event), more, is_over=self.is_over)
        return ended if ended and ended.error else None

    def _run(
        self,
        moment: Moment,
        entry: Entry,
        more: Mapping[str, str],
        host: str = "",
        is_over: Callable[[], bool] = lambda: False,
    ) -> HookEnded | None:
        """Run a hook, if there is one; one that was too late is not waited for once more."""
        file = self.files.get(moment)
        if file is None or moment in self._late:
            return None
        given = {**self.variables, "CHANGEOVER_HOOK": moment.value, **more}
        if self._emit is not None:
            self._emit(HookBegan(moment.value, host, self.limit_seconds))
        ended = hook.run(
            file,
            folder=self.folder,
            variables={name: visible(value) for name, value in given.items()},
            event=f"{as_line(entry)}\n",
            limit_seconds=self.limit_seconds,
            is_over=is_over,
        )
        if ended.is_late:
            self._late.add(moment)
        noted = HookEnded(moment.value, host, ended.seconds, ended.error, ended.output)
        if self._emit is None:
            self._ended.append(noted)
        else:
            self._emit(noted)
        return noted


def variables(began: RunBegan, releases: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of every hook; releases: the release that each app is to run."""
    return {
        "CHANGEOVER_ENVIRONMENT": began.environment,
        "CHANGEOVER_VERB": began.verb,
        "CHANGEOVER_RUN": began.run,
        "CHANGEOVER_BY": began.by,
        "CHANGEOVER_RELEASES": " ".join(f"{app}={release}" for app, release in releases.items()),
    }
