"""A host on paper: its one connection, as the fleet and its steps know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy.errors import CommandFailed, CommandResult, LockLost
from simulated import surveys
from simulated.clock import CALL_SECONDS, CLOCK
from simulated.scripts import SPOKEN, Effects

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from deploy.inventory import Host
    from simulated.fate import Fate
    from simulated.places import Home, Place


class Remote:
    """Stands in for the real one: it knows what each script was made from, and does that."""

    def __init__(self, fate: Fate, host: Host) -> None:
        self._fate, self._world, self._host = fate, fate.world, host
        liar = fate.command.liar
        self._liar = liar if liar and liar.is_on(host) else None

    def ask(self, script: str, what: str, timeout_seconds: float = 30) -> CommandResult:
        del what, timeout_seconds
        self._fate.instant()
        self._fate.reach(self._host.name)
        return CommandResult(script, 0, self._told(self._answer(script)), "")

    def probe(self, port: int, path: str, header: str, timeout_seconds: float) -> int | None:
        del path, header, timeout_seconds
        self._fate.instant()
        CLOCK.sleep(CALL_SECONDS)
        self._fate.reach(self._host.name)
        code = 200 if self._world.answers(self._on_port(port)) else None
        return self._liar.code(code) if self._liar else code

    def send(
        self,
        app: str,
        script: str,
        what: str,
        source: BinaryIO,
        sent: Callable[[int], None] = lambda _: None,
    ) -> str:
        del sent
        return self._change(app, script, what, source.read(1 << 20).decode(errors="replace"))

    def change(self, app: str, script: str, what: str, timeout_seconds: float = 60) -> str:
        del timeout_seconds
        return self._change(app, script, what, "")

    def _change(self, app: str, script: str, what: str, text: str) -> str:
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
                raise CommandFailed(self._host.name, what, CommandResult(script, 1, "", "no"))
        CLOCK.sleep(CALL_SECONDS)
        fate.instant(held=True)
        name, args = SPOKEN.get(script, ("", ()))
        is_start = name == "start_unit"
        return self._told(surveys.unit_state(self._world, home.of_unit(*args)) if is_start else "")

    def _told(self, text: str) -> str:
        """What the host prints: the truth, unless it lies."""
        return self._liar.text(text) if self._liar else text

    def _home(self, app: str) -> Home:
        return self._world.homes[self._host.name, app]

    def _on_port(self, port: int) -> Place:
        places = self._world.on(self._host.name)
        return next(place for place in places if place.app.port == port)

    def _answer(self, script: str) -> str:
        """What a question prints."""
        name, args = SPOKEN[script]
        match name:
            case "show_unit":
                place = self._home(args[0].partition("@")[0]).of_unit(args[0])
                return surveys.unit_state(self._world, place)
            case "listeners":
                unit = self._on_port(args[1]).listener
                return f"{args[0]}.listener=100 {unit} web" if unit else ""
            case "connections":
                return surveys.connections(self._on_port(args[0]))
            case "running_release":
                return self._running(args[0])
            case _:
                return ""  # a journal, or systemd's verdict on a unit

    def _running(self, pid: int) -> str:
        found = [place.process for place in self._world.on(self._host.name) if place.process]
        build = next((process.build for process in found if process.pid == pid), None)
        return f"running={build.release}" if build else ""
