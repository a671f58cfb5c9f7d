"""A host on paper: its one connection, as the fleet and its steps know it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from deploy.command_result import CommandResult
from deploy.errors import CommandFailed, ConnectionLost, LockLost
from deploy.hosts.probe.request import Reply
from deploy.hosts.scripts.base import LOCK_LOST
from simulated import surveys
from simulated.clock import CALL_SECONDS, CLOCK
from simulated.scripts import Effects

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from deploy.aws.inventory import Host
    from deploy.hosts.probe.request import Request
    from deploy.hosts.scripts.script import Script
    from simulated.fate import Fate
    from simulated.places import Home, Place


T = TypeVar("T")


class Remote:
    """Stands in for the real one: it does what each of a script's programs does."""

    def __init__(self, fate: Fate, host: Host) -> None:
        self._fate, self._world, self._host = fate, fate.world, host
        liar = fate.command.liar
        self._liar = liar if liar and liar.is_on(host) else None

    def ask(self, script: Script[T], timeout_seconds: float = 30, most_bytes: int = 0) -> T:
        del timeout_seconds, most_bytes
        self._fate.instant()
        self._fate.reach(self._host.name)
        question = script.programs[-1]
        answer = getattr(self, f"_{question.name}", self._silent)(*question.arguments)
        return script.parse(self._told(answer))

    def forwards(self, place: tuple[str, int], seconds: float) -> bool:
        del place, seconds
        return True

    def probe(self, request: Request, seconds: float) -> Reply | None:
        del seconds
        self._fate.instant()
        CLOCK.sleep(CALL_SECONDS)
        self._fate.reach(self._host.name)
        code = 200 if self._world.answers(self._on_port(request.port)) else None
        code = self._liar.code(code) if self._liar else code
        return None if code is None else Reply(code)

    def send(
        self,
        app: str,
        script: Script[T],
        source: BinaryIO,
        sent: Callable[[int], None] = lambda _: None,
    ) -> T:
        del sent
        return self._change(app, script, source.read(1 << 20).decode(errors="replace"))

    def run_beside(self, script: Script[T], timeout_seconds: float) -> T:
        """Read or write a record of what is run once, beside whatever runs here."""
        del timeout_seconds
        name, act, migrations = self._host.name, script.programs[-1], self._world.migrations
        if CLOCK.now < self._world.dark.get(name, 0.0):
            raise ConnectionLost(f"{name}: it cannot be reached")
        if act.name == "record_once":
            if self._fate.taken:
                return script.parse(CommandResult("", LOCK_LOST, "", ""))
            migrations.write(name, *act.arguments[3:5])
            return script.parse(CommandResult("", 0, "", ""))
        folder, _, file = act.arguments[0].rpartition("/")
        assert folder.endswith(".once")
        line = migrations.records.get((name, file), "")
        known = "yes" if self._home(file.partition(".")[0]).history else "no"
        shown = f"once={line.encode().hex()}\nhistory={known}\n"
        return script.parse(CommandResult("", 0, shown, ""))

    def change(self, app: str, script: Script[T], timeout_seconds: float = 60) -> T:
        del timeout_seconds
        return self._change(app, script, "")

    def _change(self, app: str, script: Script[T], text: str) -> T:
        """Do the script's effects, with an instant before each; what it prints."""
        fate, home = self._fate, self._home(app)
        effects = list(Effects(self._world, home, text).of(script))
        fate.instant()
        for number, effect in enumerate(effects):
            if number:
                fate.instant()
            fate.reach(self._host.name)
            if fate.taken:
                raise LockLost("another deploy took it over")
            if not effect():
                failed = CommandResult(str(script), 1, "", "no")
                raise CommandFailed(self._host.name, script.name, failed)
        CLOCK.sleep(CALL_SECONDS)
        fate.instant(held=True)
        last = script.programs[-1]
        answer = self._show_unit(*last.arguments) if last.name == "show_unit" else self._silent()
        return script.parse(self._told(answer))

    def _told(self, answer: CommandResult) -> CommandResult:
        """What the host prints: the truth, unless it lies."""
        if self._liar is None:
            return answer
        if not answer.facts:
            return replace(answer, stdout=self._liar.text(answer.stdout))
        facts = self._liar.text("\n".join(answer.facts)).split("\n")
        return replace(answer, facts=tuple(facts))

    def _shown(self, place: Place) -> tuple[str, ...]:
        lines = surveys.unit_state(self._world, place).splitlines()
        return tuple(f"show.{line}" for line in lines)

    def _home(self, app: str) -> Home:
        return self._world.homes[self._host.name, app]

    def _on_port(self, port: int) -> Place:
        places = self._world.on(self._host.name)
        return next(place for place in places if place.app.port == port)

    @staticmethod
    def _silent(*_: str) -> CommandResult:
        return CommandResult("", 0, "", "")

    def _show_unit(self, unit: str, *_: str) -> CommandResult:
        if unit.startswith("changeover-once."):
            ended = self._world.migrations.jobs.get((self._host.name, unit))
            state = {True: "active", False: "failed", None: "inactive"}[ended]
            return CommandResult("", 0, "", "", facts=(f"show.ActiveState={state}",))
        home = self._home(unit.partition("@")[0].removeprefix("legacy-").removesuffix(".service"))
        facts = self._shown(home.of_unit(unit))
        if unit == home.app.replaces:
            lines = surveys.previous_state(home.places[0]).splitlines()
            facts = tuple(f"show.{line}" for line in lines)
        return CommandResult("", 0, "", "", facts=facts)

    def _connections(self, watch_seconds: str, *ports: str) -> CommandResult:
        CLOCK.sleep(float(watch_seconds))
        shown = [surveys.connections(self._on_port(int(port))) for port in ports]
        return CommandResult("", 0, "\n".join(shown), "")

    def _runtime(self, app: str, port: str) -> CommandResult:
        place = self._on_port(int(port))
        facts = list(self._shown(place))
        process = place.process
        if process and not process.is_legacy:
            facts += [f"running={process.files}", "own_namespace=no"]
        if place.listener:
            facts.append(f"{app}.listener=100 776562 /system.slice/{place.listener}")
        return CommandResult("", 0, "", "", facts=tuple(facts))
