"""What is changed on a host: builders that return words and run nothing.

Shell quoting lives here, in `questions` and in `fence`. Every builder returns a POSIX sh script
that expects to be root; `as_root` and `locked` wrap it for the SSH user.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from deploy import rehearsal

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = (
    "LoadState,ActiveState,SubState,UnitFileState,MainPID,InvocationID,NRestarts,Result,"
    "ExecMainStatus,ActiveEnterTimestamp"
)
LOCK_BUSY, LOCK_LOST, LOCK_HELD, CONTENT_DIFFERS, HOST_UNSETTLED = 75, 76, 77, 78, 79
UNIT_REFUSED = 80
OURS = (LOCK_BUSY, LOCK_LOST, LOCK_HELD, CONTENT_DIFFERS, UNIT_REFUSED, rehearsal.REFUSED)
IDLE_SECONDS = 120
HISTORY = 50


def as_root(script: str) -> str:
    """The script under sudo, which must never ask for a password."""
    return f"sudo -n sh -c {quote(script)}"


def locked(app: str, script: str, wait_seconds: int = 60) -> str:
    """The script as root and under the app's lock on the host.

    Every change goes through here: the remote commands of a killed workstation run on, and the
    next one must wait for them. Exit code 75 (LOCK_BUSY) when the lock stays taken; 79
    (HOST_UNSETTLED) when the script failed on a host that is starting or stopping, where
    systemctl may fail for no fault of what it is told.
    """
    lock = f"/run/changeover-{app}.lock"
    flock = f"flock -w {wait_seconds} -E {LOCK_BUSY} {quote(lock)} sh -c {quote(script)}"
    ours = "|".join(str(code) for code in (0, *OURS))
    settled = "$(systemctl is-system-running 2>/dev/null)"
    return as_root(
        f"{flock}; rc=$?; case $rc in {ours}) exit $rc;; esac; "
        f"case {settled} in initializing|starting|stopping|offline|'') "
        f"exit {HOST_UNSETTLED};; esac; exit $rc"
    )


def wait_idle(app: str, wait_seconds: int = IDLE_SECONDS) -> str:
    """Wait until no command of a deploy runs for the app here; 75 (LOCK_BUSY) names who does."""
    lock = quote(f"/run/changeover-{app}.lock")
    pids = f"$(lslocks -n -r -o PID,PATH | awk -v f={lock} '$2 == f {{print $1}}' | paste -s -d,)"
    named = f"ps -o pid=,etime=,args= -p {pids} | cut -c 1-160 >&2"
    return f"flock -w {wait_seconds} {lock} true || {{ {named}; exit {LOCK_BUSY}; }}"


def home(app: str) -> str:
    """The app's folder on a host."""
    return f"/srv/{app}"


def release_path(app: str, release: str) -> str:
    """Where a release lies, unpacked."""
    return f"{home(app)}/releases/{release}"


def prepare(app: str, user: str) -> str:
    """Make the service's user and the app's folders; changes nothing where they are right."""
    base, who = home(app), quote(user)
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
    return f".{release}.part"


def receive_release(app: str, release: str, user: str, links: int) -> str:
    """Read a parcel from stdin, copy the rest, check all, publish it by rename.

    Nothing appears under the release's name before all of it is there, right and on disk. An
    upload that is cut off leaves its part, for the next one to go on from. Exit code 78
    (CONTENT_DIFFERS) where a file is not as in the package: a copy, as a rule. links: how many
    symbolic links the release has.
    """
    base = home(app)
    final, kept = release_path(app, release), f"{base}/records/manifests/{release}"
    return "\n".join(
        (
            "set -e; umask 077; export LC_ALL=C",
            f"part={quote(f'{base}/releases/{part(release)}')}",
            f"final={quote(final)} kept={quote(kept)}",
            'if [ -e "$final" ]; then cat > /dev/null; exit 0; fi',
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
            f'if [ "$lies" != "$(wc -l < ../manifest) files, {links} links" ]; then',
            '  echo "there is more than in the package: $lies" >&2; exit 1; fi',
            "find . -type d -exec chmod 0750 {} + -o -type f -exec chmod 0640 {} +",
            "xargs -0 -r chmod 0750 < ../executables",
            f'chown -R -h "root:$(id -gn {quote(user)})" .',
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
    file = f"{home(app)}/records/{port}.out"
    return (
        f"set -e; install -d -m 0755 {home(app)}; install -d -m 0700 {home(app)}/records; "
        f"printf '%s\\n' {quote(note)} > {file}.new && mv -T {file}.new {file}"
    )


def record_deployed(app: str, port: int, record: str, release: str) -> str:
    """Write down what was deployed; the note that the target is out falls, and a bad mark too.

    The history's new text replaces the old one by rename; its last lines are kept.
    """
    records = f"{home(app)}/records"
    file = f"{records}/history"
    return "\n".join(
        (
            "set -e",
            f"{{ tail -n {HISTORY - 1} {file} 2>/dev/null || true; "
            f"printf '%s\\n' {quote(record)}; }} > {file}.new",
            f"sync {file}.new; mv -T {file}.new {file}",
            f"rm -f {records}/{port}.out {records}/bad/{quote(release)}",
        )
    )


def mark_bad(app: str, release: str, note: str) -> str:
    """Write down that a release failed; the note says when and who saw it."""
    folder = f"{home(app)}/records/bad"
    return (
        f"set -e; install -d -m 0700 {folder}; "
        f"printf '%s\\n' {quote(note)} > {folder}/{quote(release)}"
    )


def forget_out(app: str, port: int) -> str:
    """The target is back: the note that it is out falls."""
    return f"rm -f {home(app)}/records/{port}.out"


def stop_unit(unit: str) -> str:
    """Stop a unit and wait until its processes are gone."""
    return f"systemctl stop {quote(unit)}"


def retire_unit(unit: str) -> str:
    """Stop a unit for good: it does not come back at the next boot; one that is not is gone.

    Boot reads the links on disk, and what is started later reloads first: no reload here.
    """
    name = quote(unit)
    known = f"systemctl cat {name} >/dev/null 2>&1"
    return f"if {known}; then systemctl disable --now --no-reload --quiet {name}; fi"


def revive_unit(unit: str) -> str:
    """Undo `retire_unit`."""
    name = quote(unit)
    return f"systemctl reset-failed {name} 2>/dev/null; systemctl enable --now --quiet {name}"


def kept_unit(app: str, unit: str, release: str, digest: str) -> str:
    """Where a release's unit lies, beside those of other releases and settings."""
    return f"{home(app)}/records/units/{release}.{digest}.{unit}"


def switch_release(app: str, port: int, release: str, user: str, unit: tuple[str, str]) -> str:
    """Point the slot's link at a release and install its unit, each by rename.

    unit: its name, and the digest under which it was kept. The release may have been unpacked
    for another user than the one it will run as now. Nothing changes unless all is there.
    """
    name, digest = unit
    slots, file = f"{home(app)}/slots", f"/etc/systemd/system/{name}"
    return "\n".join(
        (
            "set -e",
            f"release={quote(release_path(app, release))}",
            f"kept={quote(kept_unit(app, name, release, digest))} file={quote(file)}",
            'test -d "$release"; test -f "$kept"',
            f'chgrp -R -h "$(id -gn {quote(user)})" "$release"',
            'install -m 0644 "$kept" "$file.new"',
            f"ln -sfnT {quote(f'../releases/{release}')} {slots}/.{port}.new",
            f'mv -T {slots}/.{port}.new {slots}/{port}; mv -T "$file.new" "$file"',
            'if command -v restorecon >/dev/null 2>&1; then restorecon "$file"; fi',
        )
    )


def remove_releases(app: str, releases: tuple[str, ...], coming: str = "") -> str:
    """Remove releases and what is kept of them, but none that a slot points to; and torn uploads.

    coming: the release whose torn upload stays, to be gone on with.
    """
    base = home(app)
    left = quote(f"{base}/releases/{part(coming)}")
    lines = [
        "set -e",
        f'for f in {base}/releases/.*.part; do [ "$f" = {left} ] || rm -rf "$f"; done',
    ]
    lines += [
        f'[ "$(readlink -f {base}/slots/* | grep -c -x {quote(release_path(app, release))})" = 0 ] '
        f"&& rm -rf {quote(release_path(app, release))} {base}/records/units/{quote(release)}.* "
        f"{base}/records/manifests/{quote(release)} || true"
        for release in releases
    ]
    return "\n".join(lines)


def start_unit(unit: str) -> str:
    """Load, enable and start; the invocation that was started is printed."""
    name = quote(unit)
    return "\n".join(
        (
            "set -e",
            "systemctl daemon-reload",
            f"systemctl reset-failed {name} 2>/dev/null || true",
            f"systemctl enable --quiet --no-reload {name}",
            f"systemctl start {name}",
            f"systemctl show {name} -p {SHOWN}",
        )
    )
