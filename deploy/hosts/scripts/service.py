"""What starts, stops and switches a slot's unit.

Builders of scripts, as in `change`.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.change import UNIT_CHANGED, home, release_path

if TYPE_CHECKING:
    from collections.abc import Sequence


SHOWN = (
    "LoadState,ActiveState,SubState,UnitFileState,MainPID,InvocationID,NRestarts,Result,"
    "ExecMainStatus,ActiveEnterTimestamp,ExecMainStartTimestamp,FragmentPath,DropInPaths,"
    "NeedDaemonReload,RestrictNamespaces"
)


def _quoted(unit_name: str) -> str:
    return quote(values.checked(values.unit_name, unit_name))


def stop_unit(unit_name: str) -> str:
    """Stop a unit and wait until its processes are gone."""
    return f"systemctl stop {_quoted(unit_name)}"


def retire_unit(unit_name: str) -> str:
    """Stop a unit for good: it does not come back at the next boot; one that is not is gone.

    `disable` reloads systemd: without that it goes on to report the unit as enabled, and from
    version 253 each of its units as changed (NeedDaemonReload=yes).
    """
    name = _quoted(unit_name)
    known = f"systemctl cat {name} >/dev/null 2>&1"
    return f"if {known}; then systemctl disable --now --quiet {name}; fi"


def revive_unit(unit_name: str) -> str:
    """Undo `retire_unit`."""
    name = _quoted(unit_name)
    return f"systemctl reset-failed {name} 2>/dev/null; systemctl enable --now --quiet {name}"


def kept_unit(app: str, unit_name: str, release: str, digest: str) -> str:
    """Where a release's unit lies, beside those of other releases and settings."""
    name = (
        f"{values.checked(values.release_id, release)}.{values.checked(values.unit_digest, digest)}"
    )
    return f"{home(app)}/records/units/{name}.{values.checked(values.unit_name, unit_name)}"


def switch_release(
    app: str, port: int, release: str, user: str, unit: tuple[str, str], slots: Sequence[str] = ()
) -> str:
    """Point the slot's link at a release and install its stored unit, each by rename.

    unit: its name, and the digest under which it was stored; slots: the names of the units of all
    the app's slots, over whose texts that digest was made. The release may have been unpacked for
    another user than the one it will run as now. Nothing changes unless all is there, and ends
    with 83 (UNIT_CHANGED) where the stored unit is not what its digest says.
    """
    name, digest = values.checked(values.unit_name, unit[0]), unit[1]
    folder, file = f"{home(app)}/slots", f"/etc/systemd/system/{name}"
    group = f"$(id -gn {values.checked(values.name, user)})"
    stored = quote(kept_unit(app, name, release, digest))
    # As `unit_file.render` makes it: of the texts without the digest, of one slot or of both.
    texts = [quote(kept_unit(app, each, release, digest)) for each in slots if each != name]
    orders = [stored]
    for text in texts:
        orders += [f"{stored} {text}", f"{text} {stored}"]
    fits = " || ".join(f"fits {order}" for order in orders)
    return "\n".join(
        (
            "set -e",
            f"release={quote(release_path(app, release))} file={quote(file)}",
            f'test -d "$release"; test -f {stored}; test ! -L {stored}',
            f'fits() {{ [ "$(cat -- "$@" 2>/dev/null | sed \'s/{digest}//g\' | sha256sum | '
            f'cut -c 1-{len(digest)})" = {digest} ]; }}',
            f"if ! {{ {fits}; }}; then",
            f'  echo "the stored unit {name} of {release} is not what its digest says: it was '
            'changed; deploy the package of this release again" >&2',
            f"  exit {UNIT_CHANGED}; fi",
            f'chgrp -R -h "{group}" "$release"',
            f'install -m 0644 {stored} "$file.new"',
            f"ln -sfnT {quote(f'../releases/{release}')} {folder}/.{int(port)}.new",
            f'mv -T {folder}/.{int(port)}.new {folder}/{int(port)}; mv -T "$file.new" "$file"',
            'if command -v restorecon >/dev/null 2>&1; then restorecon "$file"; fi',
        )
    )


def start_unit(unit_name: str) -> str:
    """Enable, load and start; the invocation that was started is printed.

    In this order: a link that is made after the reload has systemd 253 and newer report each of
    its units as changed (NeedDaemonReload=yes).
    """
    name = _quoted(unit_name)
    return "\n".join(
        (
            "set -e",
            f"systemctl enable --quiet --no-reload {name}",
            "systemctl daemon-reload",
            f"systemctl reset-failed {name} 2>/dev/null || true",
            f"systemctl start {name}",
            show_unit(unit_name),
        )
    )


def show_unit(unit_name: str, key: str = "show") -> str:
    """The unit's state as facts `<key>.<property>=<value>`; systemd prints times in UTC.

    The script's variable `pid` is the unit's main process afterwards, 0 for none.
    """
    return "\n".join(
        (
            "pid=0",
            f'while IFS="=" read -r k v; do fact "{key}.$k" "$v"',
            '  [ "$k" != MainPID ] || pid=${v%%[!0-9]*}; done <<END_OF_UNIT',
            f"$(TZ=UTC systemctl show {_quoted(unit_name)} -p {SHOWN})",
            "END_OF_UNIT",
        )
    )
