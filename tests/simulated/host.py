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
    from simulated.places import Place


class Remote:
    """Stands in for the real one: it knows what each script was made from, and does that."""

    def __init__(self, fate: Fate, host: Host) -> None:
        self._fate, self._world, self._host = fate, fate.world, host

    def ask(self, script: str, what: str, timeout_seconds: float = 30) -> CommandResult:
        del what, timeout_seconds
        self._fate.instant()
        self._fate.reach(self._host.name)
        return CommandResult(script, 0, self._answer(script), "")

    def probe(self, port: int, path: str, header: str, timeout_seconds: float) -> int | None:
        del path, header, timeout_seconds
        self._fate.instant()
        CLOCK.sleep(CALL_SECONDS)
        self._fate.reach(self._host.name)
        app = next(app for app in self._world.apps if app.port == port)
        return 200 if self._world.answers(self._place(app.name)) else None

    def judge(self, script: str, what: str, source: BinaryIO) -> CommandResult:
        source.read()
        return self.ask(script, what)

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
        fate, place = self._fate, self._place(app)
        effects = list(Effects(self._world, place, text).of(script))
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
        return surveys.unit_state(self._world, place)

    def _place(self, app: str) -> Place:
        return self._world.places[self._host.name, app]

    def _answer(self, script: str) -> str:
        """What a question prints."""
        name, args = SPOKEN[script]
        match name:
            case "show_unit":
                return surveys.unit_state(self._world, self._place(args[0].partition("@")[0]))
            case "listeners":
                unit = self._place(args[0]).listener
                return f"{args[0]}.listener=100 {unit} web" if unit else ""
            case "running_release":
                return self._running(args[0])
            case _:
                return ""  # a journal, or systemd's verdict on a unit

    def _running(self, pid: int) -> str:
        found = [place.process for place in self._world.on(self._host.name) if place.process]
        build = next((process.build for process in found if process.pid == pid), None)
        return f"running={build.release}" if build else ""
