"""A host on paper: its one connection, as the fleet and its steps know it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from deploy.errors import CommandFailed, CommandResult, LockLost
from simulated import surveys
from simulated.clock import CALL_SECONDS, CLOCK
from simulated.scripts import SPOKEN, Effects

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

    from deploy.aws.inventory import Host
    from simulated.fate import Fate
    from simulated.places import Home, Place


class Remote:
    """Stands in for the real one: it knows what each script was made from, and does that."""

    def __init__(self, fate: Fate, host: Host) -> None:
        self._fate, self._world, self._host = fate, fate.world, host
        liar = fate.command.liar
        self._liar = liar if liar and liar.is_on(host) else None

    def ask(
        self, script: str, what: str, timeout_seconds: float = 30, most_bytes: int = 0
    ) -> CommandResult:
        del what, timeout_seconds, most_bytes
        self._fate.instant()
        self._fate.reach(self._host.name)
        return self._told(
            CommandResult(script, 0, self._printed(script), "", facts=self._facts(script))
        )

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
        text = source.read(1 << 20).decode(errors="replace")
        return self._change(app, script, what, text).stdout

    def change(self, app: str, script: str, what: str, timeout_seconds: float = 60) -> str:
        del timeout_seconds
        return self._change(app, script, what, "").stdout

    def change_with_facts(
        self, app: str, script: str, what: str, timeout_seconds: float = 60
    ) -> CommandResult:
        del timeout_seconds
        return self._change(app, script, what, "")

    def _change(self, app: str, script: str, what: str, text: str) -> CommandResult:
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
        facts = self._shown(home.of_unit(*args)) if name == "start_unit" else ()
        return self._told(CommandResult(script, 0, "", "", facts=facts))

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

    def _facts(self, script: str) -> tuple[str, ...]:
        """The facts that a question's script prints."""
        name, args = SPOKEN[script]
        match name:
            case "show_unit":
                return self._shown(self._home(args[0].partition("@")[0]).of_unit(args[0]))
            case "runtime":
                return self._runtime(*args)
            case _:
                return ()

    def _printed(self, script: str) -> str:
        """What a question prints beside its facts."""
        name, args = SPOKEN[script]
        return surveys.connections(self._on_port(args[0])) if name == "connections" else ""

    def _runtime(self, app: str, unit: str, port: int) -> tuple[str, ...]:
        place, listener = self._home(app).of_unit(unit), self._on_port(port).listener
        facts = list(self._shown(place))
        process = place.process
        if process and not process.is_legacy:
            facts += [f"running={process.files}", "own_namespace=no"]
        if listener:
            facts.append(f"{app}.listener=100 776562 /system.slice/{listener}")
        return tuple(facts)
