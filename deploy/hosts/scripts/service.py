"""Builds scripts that start, stop, switch and show a slot's unit. Pure.

Builders of scripts, as in `base`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.script import Program, Script, as_it_is, nothing, program

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.command_result import CommandResult


SHOWN = (
    "LoadState,ActiveState,SubState,UnitFileState,MainPID,InvocationID,NRestarts,Result,"
    "ExecMainStatus,ActiveEnterTimestamp,ExecMainStartTimestamp,FragmentPath,DropInPaths,"
    "NeedDaemonReload,RestrictNamespaces"
)


ENDED = frozenset({"inactive", "failed"})
"""The states of a unit without a process (org.freedesktop.systemd1(5), ActiveState)."""


def _unit_name(unit_name: str) -> str:
    return values.checked(values.unit_name, unit_name)


def stop_unit(unit_name: str) -> Script[CommandResult]:
    """Stop a unit and wait until its processes are gone; facts `stopped.…` say how it ended."""
    return Script(f"stopping {unit_name}", (program("stop_unit", _unit_name(unit_name)),), as_it_is)


def retire_unit(unit_name: str) -> Script[CommandResult]:
    """Stop a unit for good: it does not come back at the next boot; one that is not is gone.

    The facts are those of `stop_unit`.
    """
    return Script(
        f"retiring {unit_name}", (program("retire_unit", _unit_name(unit_name)),), as_it_is
    )


def revive_unit(unit_name: str, instead_of: str) -> Script[CommandResult]:
    """Undo `retire_unit`, and retire the unit that runs in its place: both want the same port."""
    programs = (
        program("retire_unit", _unit_name(instead_of)),
        program("revive_unit", _unit_name(unit_name)),
    )
    return Script(f"starting {unit_name} again", programs, as_it_is)


def kept_unit(app: str, unit_name: str, release: str, digest: str) -> str:
    """Where a release's unit lies, beside those of other releases and settings."""
    name = (
        f"{values.checked(values.release_id, release)}.{values.checked(values.unit_digest, digest)}"
    )
    folder = f"/srv/{values.checked(values.name, app)}/records/units"
    return f"{folder}/{name}.{_unit_name(unit_name)}"


def switch_release(
    app: str, port: int, release: str, user: str, unit: tuple[str, str], slots: Sequence[str] = ()
) -> Script[None]:
    """Point the slot's link at a release and install its stored unit, each by rename.

    unit: its name, and the digest under which it was stored; slots: the names of the units of all
    the app's slots, over whose texts that digest was made. Nothing changes unless all is there, and
    the script ends with 83 (UNIT_CHANGED) where the stored unit is not what its digest says.
    """
    name, digest = unit
    switch = program(
        "switch_release",
        values.checked(values.name, app),
        int(port),
        values.checked(values.release_id, release),
        values.checked(values.name, user),
        _unit_name(name),
        values.checked(values.unit_digest, digest),
        *(_unit_name(each) for each in slots if each != name),
    )
    return Script("switching the release", (switch,), nothing)


def start_unit(unit_name: str) -> Script[CommandResult]:
    """Enable, load and start; the invocation that was started is printed, as by `show_unit`."""
    programs = (program("start_unit", _unit_name(unit_name)), *show_unit(unit_name).programs)
    return Script(f"starting {unit_name}", programs, as_it_is)


def show_unit(unit_name: str) -> Script[CommandResult]:
    """The unit's state as facts `show.<property>=<value>`; systemd prints times in UTC.

    `survey.unit_state` reads them. The program's variable `pid` is the unit's main process
    afterwards, 0 for none.
    """
    return Script(
        "unit's state", (program("show_unit", _unit_name(unit_name), "show", SHOWN),), as_it_is
    )


def runtime(app: str, unit_name: str, port: int) -> Script[CommandResult]:
    """What a unit's process was started from and who listens on its port, all at one moment.

    Facts with keys `show.…`, `running`, `own_namespace` and `<app>.listener`; `survey.unit_state`
    reads them.
    """
    name = values.checked(values.name, app)
    look = program("runtime", name, int(port))
    programs = (*processes(), *show_unit(unit_name).programs, look)
    return Script("running release", programs, as_it_is)


def has_ended(app: str, unit_name: str, port: int) -> Script[bool]:
    """Ask whether nothing runs in a slot: no process of its unit, and no listener on its port.

    A host that does not say so has something that runs.
    """
    ended = {f"show.ActiveState={state}" for state in ENDED}
    listener = f"{values.checked(values.name, app)}.listener"

    def parsed(result: CommandResult) -> bool:
        listens = any(line.startswith(listener) for line in result.facts)
        return result.exit_code == 0 and bool(ended & {*result.facts}) and not listens

    return runtime(app, unit_name, port).read_by(parsed)


def processes() -> tuple[Program, ...]:
    """Functions that say what runs, and who listens on ports."""
    return program("hex"), program("processes")


def journal(unit: str, lines: int) -> Script[tuple[str, ...]]:
    """The last lines of the unit's journal."""
    ask = program("journal", values.checked(values.unit_name, unit), int(lines))
    return Script("journal", (ask,), lambda result: tuple(result.stdout.splitlines()))


def journal_of(invocation: str, lines: int, first: int = 0) -> Script[tuple[str, ...]]:
    """The last lines of one invocation of a unit, those of systemd about it too.

    first: so many of its first lines come before them, and between them how many were left out.
    """
    ask = program("journal_of", values.checked(values.token, invocation), int(first), int(lines))
    return Script("journal", (ask,), lambda result: tuple(result.stdout.splitlines()))
