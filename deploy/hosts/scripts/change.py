"""What is changed on a host: builders that return scripts and run nothing.

Shell quoting lives here, in `read` and in `lock`. Every builder returns a POSIX sh script that
expects to be root, and raises values.Malformed for a name outside the grammar. `locked` puts one
under the app's lock; `framing` takes it to the host.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts import rehearsal
from deploy.package.manifest import DIGEST_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = (
    "LoadState,ActiveState,SubState,UnitFileState,MainPID,InvocationID,NRestarts,Result,"
    "ExecMainStatus,ActiveEnterTimestamp,ExecMainStartTimestamp,FragmentPath,DropInPaths,"
    "NeedDaemonReload,RestrictNamespaces"
)
LOCK_BUSY, LOCK_LOST, LOCK_HELD, CONTENT_DIFFERS, HOST_UNSETTLED = 75, 76, 77, 78, 79
UNIT_REFUSED, OTHER_RELEASE, UNIT_CHANGED = 80, 82, 83
OURS = (
    LOCK_BUSY,
    LOCK_LOST,
    LOCK_HELD,
    CONTENT_DIFFERS,
    UNIT_REFUSED,
    OTHER_RELEASE,
    UNIT_CHANGED,
    rehearsal.REFUSED,
)
IDLE_SECONDS = 120
HISTORY = 50
LOCK_FOLDER = "/run/changeover"
"""Files that commands lock on a host; the folder is root's, mode 0700."""


def lock_path(app: str | None = None) -> str:
    """Return the file that a command locks: an app's, or without one, the environments'.

    In a folder of its own, since any process may lock a file in /run that it can read.
    """
    return (
        f"{LOCK_FOLDER}/{values.checked(values.name, app)}.lock"
        if app is not None
        else f"{LOCK_FOLDER}/locks"
    )


def open_lock_folder() -> str:
    """Return commands that make the lock folder; exit code 1 where it is not root's own."""
    return (
        f"install -d -m 0700 {LOCK_FOLDER} && [ ! -L {LOCK_FOLDER} ] && [ -O {LOCK_FOLDER} ] || "
        f"{{ echo '{LOCK_FOLDER} is not a folder of root; remove it' >&2; exit 1; }}"
    )


def hold_lock(app: str | None, wait_seconds: int) -> str:
    """Return commands that take a lock until the shell and its children end; 75 (LOCK_BUSY)."""
    return (
        f"{open_lock_folder()}\nexec 9>> {lock_path(app)} || exit 1\n"
        f"flock -w {wait_seconds} -E {LOCK_BUSY} 9 || exit $?"
    )


def locked(app: str, script: str, wait_seconds: int = 60) -> str:
    """The script under the app's lock on the host.

    Every change goes through here: the remote commands of a killed workstation run on, and the
    next one must wait for them. They hold the lock by an open file, which their children inherit.
    Exit code 75 (LOCK_BUSY) when the lock stays taken; 79 (HOST_UNSETTLED) when the script failed
    on a host that is starting or stopping, where systemctl may fail for no fault of what it is
    given.
    """
    ours = "|".join(str(code) for code in (0, *OURS))
    settled = "$(systemctl is-system-running 2>/dev/null)"
    return "\n".join(
        (
            hold_lock(app, wait_seconds),
            f"(\n{script}\n)",
            f"rc=$?; case $rc in {ours}) exit $rc;; esac",
            f"case {settled} in initializing|starting|stopping|offline|'') "
            f"exit {HOST_UNSETTLED};; esac; exit $rc",
        )
    )


def wait_idle(app: str, wait_seconds: int = IDLE_SECONDS) -> str:
    """Wait until no command of a deploy runs for the app here; 75 (LOCK_BUSY) names who does."""
    lock = lock_path(app)
    pids = (
        f"$(find /proc/[0-9]*/fd -lname {lock} 2>/dev/null | cut -d / -f 3 | sort -u | "
        "paste -s -d ,)"
    )
    named = f"ps -o pid=,etime=,comm= -p {pids} | head -n 5 >&2"
    return (
        f"if [ -e {lock} ]; then flock -w {wait_seconds} {lock} true || "
        f"{{ {named}; exit {LOCK_BUSY}; }}; fi"
    )


def home(app: str) -> str:
    """The app's folder on a host."""
    return f"/srv/{values.checked(values.name, app)}"


def release_path(app: str, release: str) -> str:
    """Where a release lies, unpacked."""
    return f"{home(app)}/releases/{values.checked(values.release_id, release)}"


def prepare(app: str, user: str) -> str:
    """Make the service's user and the app's folders; changes nothing where they are right."""
    base, who = home(app), values.checked(values.name, user)
    return "\n".join(
        (
            "set -e",
            f"group=--user-group; getent group {who} >/dev/null && group='--gid {who}'",
            f"getent passwd {who} >/dev/null || useradd --system $group --no-create-home "
            f"--home-dir /var/lib/{app} --shell /usr/sbin/nologin {who}",
            f"group=$(id -gn {who})",
            f"install -d -m 0755 {base} {base}/slots {base}/current",
            f'install -d -m 0750 -g "$group" {base}/releases',
            f"install -d -m 0700 {base}/records {base}/records/units",
        )
    )


def part(release: str) -> str:
    """The hidden folder beside the releases in which one is put together."""
    return f".{values.checked(values.release_id, release)}.part"


def receive_release(app: str, release: str, user: str, links: int, manifest: str) -> str:
    """Read a parcel from stdin, copy the rest, check all, publish it by rename.

    Nothing appears under the release's name before all of it is there, right and on disk. An
    upload that is cut off leaves its part, for the next one to go on from. Exit code 78
    (CONTENT_DIFFERS) where a file is not as in the package: a copy, as a rule; 82 (OTHER_RELEASE)
    where another release has this name. links: how many symbolic links the release has; manifest:
    the digest of its manifest, 64 hex digits.
    """
    base = home(app)
    final, kept = release_path(app, release), f"{base}/records/manifests/{release}"
    return "\n".join(
        (
            "set -e; umask 077",
            f"part={quote(f'{base}/releases/{part(release)}')}",
            f"final={quote(final)} kept={quote(kept)}",
            'if [ -e "$final" ]; then cat > /dev/null',
            f'  [ "$(b2sum -l {DIGEST_BITS} < "$kept" | cut -c 1-64)" = '
            f"{values.checked(values.digest, manifest)} ] && exit 0",
            '  echo "$final is there with other files" >&2',
            f"  exit {OTHER_RELEASE}; fi",
            'mkdir -p "$part"; rm -rf "$part/copies"',
            # In records of 64 KiB: in tar's own of 10 KiB it takes a fifth more work.
            'tar -b 128 -xzpf - -C "$part" --no-same-owner',
            # What cannot be copied is missed by the check.
            'for list in "$part"/copies/*; do',
            '  [ -f "$list" ] && cd "${part%/*}/${list##*/}" 2>/dev/null || continue',
            '  xargs -0 cp --reflink=auto --parents -t "$part/files" < "$list" || true; done',
            'cd "$part/files"',
            "xargs -0 -r -n 2 cp --reflink=auto -T < ../moves || true",
            "if ! wrong=$(b2sum --check --quiet ../manifest 2>/dev/null); then",
            '  first=$(echo "$wrong" | head -n 1) count=$(echo "$wrong" | wc -l)',
            '  echo "$count files are not as in the package, ${first%: FAILED*} is one" >&2',
            f"  exit {CONTENT_DIFFERS}; fi",
            'lies="$(find . -type f -printf . | wc -c) files, $(find . -type l | wc -l) links"',
            f'if [ "$lies" != "$(grep -c -v "^#" ../manifest) files, {int(links)} links" ]; then',
            '  echo "there is more than in the package: $lies" >&2; exit 1; fi',
            "find . -type d -exec chmod 0750 {} + -o -type f -exec chmod 0640 {} +",
            "xargs -0 -r chmod 0750 < ../executables",
            f'chown -R -h "root:$(id -gn {values.checked(values.name, user)})" .',
            r"find . \( -type d -o -type f \) -exec sync {} +",
            f"install -d -m 0700 {base}/records/manifests",
            'cp ../manifest "$kept.new"; sync "$kept.new"; mv -T "$kept.new" "$kept"',
            'cd ..; mv -T files "$final"; sync "$final" "${final%/*}"; rm -rf "$part"',
        )
    )


def discard_part(app: str, release: str) -> str:
    """Remove what an upload left."""
    return f"rm -rf {quote(f'{home(app)}/releases/{part(release)}')}"


def stage_units(
    judged: Sequence[tuple[str, int]],
    kept: Sequence[tuple[str, int]],
    trials: Sequence[str] = (),
) -> str:
    """Let the host's own systemd judge units under their real names, and keep them if it may.

    Texts come from stdin, one after the other: those that are judged (name and bytes of each),
    those that are kept (file and bytes), and those that are tried. trials: the lines that try
    them, see `rehearsal`. Exit code 80 (UNIT_REFUSED) prints what systemd said: it ends with 0
    for a misspelt key, but then names our file.
    """
    texts = [(f'"$d"/{quote(name)}', size) for name, size in judged]
    files = [(quote(file), size) for file, size in kept]
    units = " ".join(text for text, _ in texts)
    ours = " ".join(f"-e {quote(f'/{name}')}" for name, _ in judged)
    return "\n".join(
        (
            "set -e; d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT",
            f"drop() {{ rm -f {' '.join(f'{file}.new' for file, _ in files)}; }}",
            *(f"head -c {size} > {text}" for text, size in texts),
            *(f"head -c {size} > {file}.new" for file, size in files),
            # A connection that broke on the way leaves a shorter file.
            *(
                f'[ "$(wc -c < {file}.new)" = {size} ] || {{ drop; exit 1; }}'
                for file, size in files
            ),
            f'if ! systemd-analyze verify --man=no {units} > "$d/said" 2>&1 || '
            f'grep -q -F {ours} "$d/said"; then',
            f'  cat "$d/said"; drop; exit {UNIT_REFUSED}; fi',
            *trials,
            f"sync {' '.join(f'{file}.new' for file, _ in files)}",
            *(f"mv -T {file}.new {file}" for file, _ in files),
        )
    )


def record_out(app: str, port: int, note: str) -> str:
    """Write down, on the host, that its target is about to leave the load balancer."""
    file = f"{home(app)}/records/{int(port)}.out"
    return (
        f"set -e; install -d -m 0755 {home(app)}; install -d -m 0700 {home(app)}/records; "
        f"printf '%s\\n' {quote(note)} > {file}.new && mv -T {file}.new {file}"
    )


def record_deployed(app: str, port: int, record: str, release: str) -> str:
    """Write down what was deployed; the note that the target is out falls, and a bad mark too.

    The history's new text replaces the old one by rename; its last lines are kept.
    """
    records, name = f"{home(app)}/records", values.checked(values.release_id, release)
    file = f"{records}/history"
    return "\n".join(
        (
            "set -e",
            f"{{ tail -n {HISTORY - 1} {file} 2>/dev/null || true; "
            f"printf '%s\\n' {quote(record)}; }} > {file}.new",
            f"sync {file}.new; mv -T {file}.new {file}",
            f"rm -f {records}/{int(port)}.out {records}/bad/{name}",
        )
    )


def mark_bad(app: str, release: str, note: str) -> str:
    """Write down that a release failed; the note says when and who saw it."""
    folder, name = f"{home(app)}/records/bad", values.checked(values.release_id, release)
    return (
        f"set -e; install -d -m 0700 {folder}; "
        f"printf '%s\\n' {quote(note)} > {folder}/.{name}.new; "
        f"mv -T {folder}/.{name}.new {folder}/{name}"
    )


def forget_out(app: str, port: int) -> str:
    """The target is back: the note that it is out falls."""
    return f"rm -f {home(app)}/records/{int(port)}.out"


def _unit(unit: str) -> str:
    return quote(values.checked(values.unit_name, unit))


def stop_unit(unit: str) -> str:
    """Stop a unit and wait until its processes are gone."""
    return f"systemctl stop {_unit(unit)}"


def retire_unit(unit: str) -> str:
    """Stop a unit for good: it does not come back at the next boot; one that is not is gone.

    `disable` reloads systemd: without that it goes on to report the unit as enabled, and from
    version 253 each of its units as changed (NeedDaemonReload=yes).
    """
    name = _unit(unit)
    known = f"systemctl cat {name} >/dev/null 2>&1"
    return f"if {known}; then systemctl disable --now --quiet {name}; fi"


def revive_unit(unit: str) -> str:
    """Undo `retire_unit`."""
    name = _unit(unit)
    return f"systemctl reset-failed {name} 2>/dev/null; systemctl enable --now --quiet {name}"


def kept_unit(app: str, unit: str, release: str, digest: str) -> str:
    """Where a release's unit lies, beside those of other releases and settings."""
    name = (
        f"{values.checked(values.release_id, release)}.{values.checked(values.unit_digest, digest)}"
    )
    return f"{home(app)}/records/units/{name}.{values.checked(values.unit_name, unit)}"


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


def remove_releases(app: str, releases: tuple[str, ...], coming: str = "") -> str:
    """Remove releases, what is kept of them, and partial uploads, but none that a slot points to.

    coming: the release whose partial upload stays, to be gone on with.
    """
    base = home(app)
    left = f"{base}/releases/{part(coming)}" if coming else "none"
    lines = [
        "set -e",
        f'for f in {base}/releases/.*.part; do [ "$f" = {quote(left)} ] || rm -rf "$f"; done',
        # By inode: a path may lead over a link, as where /srv is one.
        f'used() {{ for s in {base}/slots/*; do [ "$s" -ef "$1" ] && return 0; done; return 1; }}',
    ]
    for release in releases:
        path, name = quote(release_path(app, release)), quote(release)
        records = f"{base}/records"
        lines.append(
            f"used {path} || rm -rf {path} {records}/units/{name}.* {records}/manifests/{name}"
        )
    return "\n".join(lines)


def start_unit(unit: str) -> str:
    """Enable, load and start; the invocation that was started is printed.

    In this order: a link that is made after the reload has systemd 253 and newer report each of
    its units as changed (NeedDaemonReload=yes).
    """
    name = _unit(unit)
    return "\n".join(
        (
            "set -e",
            f"systemctl enable --quiet --no-reload {name}",
            "systemctl daemon-reload",
            f"systemctl reset-failed {name} 2>/dev/null || true",
            f"systemctl start {name}",
            show_unit(unit),
        )
    )


def show_unit(unit: str, key: str = "show") -> str:
    """The unit's state as facts `<key>.<property>=<value>`; systemd prints times in UTC.

    The script's variable `pid` is the unit's main process afterwards, 0 for none.
    """
    return "\n".join(
        (
            "pid=0",
            f'while IFS="=" read -r k v; do fact "{key}.$k" "$v"',
            '  [ "$k" != MainPID ] || pid=${v%%[!0-9]*}; done <<END_OF_UNIT',
            f"$(TZ=UTC systemctl show {_unit(unit)} -p {SHOWN})",
            "END_OF_UNIT",
        )
    )
