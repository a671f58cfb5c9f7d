"""What befalls one command: whose thread is next, and which fault strikes at which instant."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from deploy.command_result import CommandResult
from deploy.errors import ApiError, CommandFailed, ConnectionLost, RemoteError
from simulated.clock import CLOCK
from simulated.faults import RAISES, Crash, Fault
from simulated.turns import Turns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from deploy.run.executor import Execution
    from deploy.steps.base import Step
    from simulated.faults import Command, Strike
    from simulated.world import World

HEARD_AFTER_SECONDS = 10.0


class Fate:
    """The faults of a command, struck where the steps come by.

    struck: those that did; acting: the host whose thread runs, or nothing; taken: whether another
    deploy took over; first_signal: its number, or 0; execution: what signals and takeovers end;
    deciding: the host of which the executor asks whether its host plan may begin, or nothing.
    """

    def __init__(self, world: World, command: Command) -> None:
        self.world, self.command = world, command
        self.turns = Turns(command.seed)
        self.struck: list[Strike] = []
        self.acting = ""
        self.taken = False
        self.first_signal = 0
        self.execution: Execution | None = None
        self.deciding = ""
        self._waiting = list(command.strikes)
        self._crashed = False
        self._steps: dict[str, Step] = {}
        self._instants: dict[str, int] = {}
        self._begun: dict[tuple[str, str], int] = {}
        CLOCK.let_others = partial(self._let_others, fairly=True)

    @property
    def is_in_step(self) -> bool:
        """Whether it is a host's step that asks now, and not the executor between batches."""
        return self.acting in self._steps

    @contextmanager
    def between_steps(self, host: str) -> Iterator[None]:
        """The executor decides whether a host's plan may begin: no other thread's turn comes."""
        mine, self.acting, self.deciding = self.acting, "", host
        yield
        self.acting, self.deciding = mine, ""

    def begin(self, step: Step) -> None:
        """The step's host acts from now on, and its instants count anew."""
        host = step.host.name
        self.acting, self._steps[host], self._instants[host] = host, step, 0
        key = host, type(step).__name__
        self._begun[key] = self._begun.get(key, -1) + 1

    def end(self, step: Step) -> None:
        self._steps.pop(step.host.name, None)

    def instant(self, *, reads: bool = False, api: bool = False, held: bool = False) -> None:
        """A moment at which a thread may change and a fault may strike.

        reads, api: what is called is AWS, to read or to write; held: right after the host said
        that the environment is ours, and before the call to AWS that this was asked for.
        """
        held = held or api
        if not held:
            self._let_others()
        if self._crashed:
            raise Crash
        step = self._steps.get(self.acting)
        if step is None:
            return
        count = self._instants[self.acting]
        self._instants[self.acting] += 1
        for strike in list(self._waiting):
            spared = (held and strike.fault is Fault.TAKEOVER) or (
                reads and strike.fault in RAISES - {Fault.DOWN}
            )
            if self._is_due(strike, step, count) and not spared:
                self._waiting.remove(strike)
                self.struck.append(strike)
                self._strike(strike, step, api=reads or api)

    def _let_others(self, *, fairly: bool = False) -> None:
        """Another thread may have its turn, unless the executor is deciding; fairly: it has."""
        if not self.deciding:
            mine = self.acting
            if fairly:
                self.turns.pass_on()
            else:
                self.turns.pause()
            self.acting = mine

    def reach(self, host: str) -> None:
        """Raises ConnectionLost while the host cannot be reached."""
        if CLOCK.now < self.world.dark.get(host, 0.0):
            CLOCK.sleep(1.0)
            raise ConnectionLost(f"{host}: it cannot be reached")

    def reach_aws(self) -> None:
        """Raises ApiError while AWS is down."""
        if CLOCK.now < self.world.down:
            CLOCK.sleep(1.0)
            raise ApiError("the API is down", "ServiceUnavailable", may_pass=True)

    def _is_due(self, strike: Strike, step: Step, count: int) -> bool:
        host, kind = self.acting, type(step).__name__
        return (
            (f"host-{strike.host}", strike.step) == (host, kind)
            and strike.nth == self._begun[host, kind]
            and strike.at <= count
        )

    def _strike(self, strike: Strike, step: Step, *, api: bool) -> None:
        world, host, until = self.world, step.host.name, CLOCK.now + strike.seconds
        match strike.fault:
            case Fault.CRASH | Fault.STOP | Fault.TAKEOVER:
                self._cut_short(strike)
            case Fault.SICK:
                world.places[host, step.app.name, step.app.port].sick = until
            case Fault.DOWN:
                world.down = until
            case Fault.DARK:
                world.dark[host] = until
                self.reach(host)
            case _:
                raise _error(strike.fault, host, api=api)

    def _cut_short(self, strike: Strike) -> None:
        """The command is ended from outside: at once, by a signal, or by another deploy."""
        if strike.fault is Fault.CRASH:
            self._crashed = True
            raise Crash
        assert self.execution
        if strike.fault is Fault.STOP:
            self.first_signal = self.first_signal or strike.number
            self.execution.stop(strike.number)
        else:
            self.taken = True
            # The heartbeat hears of it now, or nobody does before the next change.
            if strike.seconds > HEARD_AFTER_SECONDS:
                self.execution.lose()


def _error(fault: Fault, host: str, *, api: bool) -> Exception:
    """What a call raises that this fault strikes; api: it is one to AWS, and not to the host."""
    text = str(fault)
    if fault is Fault.DEFECT:
        return ValueError(text)
    if api:
        passing = fault is Fault.FLICKER
        return ApiError(text, "Throttling" if passing else "ValidationError", may_pass=passing)
    if fault is Fault.COMMAND:
        return CommandFailed(host, "it", CommandResult("it", 1, "", text))
    return (ConnectionLost if fault is Fault.FLICKER else RemoteError)(f"{host}: {text}")
