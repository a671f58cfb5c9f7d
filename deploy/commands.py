"""What is typed on a host: builders that return words and run nothing.

The only home of shell quoting. Every builder returns a POSIX sh script that expects to be root;
`as_root` and `locked` wrap it for the SSH user.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING
from urllib.parse import quote as percent

from deploy.manifest import DIGEST_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = (
    "LoadState,ActiveState,SubState,UnitFileState,MainPID,InvocationID,NRestarts,Result,"
    "ExecMainStatus,ActiveEnterTimestamp"
)
LOCK_BUSY, LOCK_LOST, LOCK_HELD, CONTENT_DIFFERS, HOST_UNSETTLED = 75, 76, 77, 78, 79
UNIT_REFUSED = 80
OURS = (LOCK_BUSY, LOCK_LOST, LOCK_HELD, CONTENT_DIFFERS, UNIT_REFUSED)
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


LOCKS = "/var/lib/changeover"


def _alone(script: str) -> str:
    """The script, alone among those that touch the environments' locks on this host."""
    return f"exec flock -w 30 -E {LOCK_BUSY} /run/changeover-locks sh -c {quote(script)}"


def lock_file(environment: str) -> str:
    """Where an environment's lock lies on each of its hosts."""
    return f"{LOCKS}/{percent(environment, safe='')}.lock"


def take_lock(environment: str, token: str, text: str, instead_of: str = "") -> str:
    """Take the environment's lock, or print who holds it and end with 77 (LOCK_HELD).

    instead_of: the token of a dead holder, whose lock is taken over.
    """
    file = quote(lock_file(environment))
    ours = f"grep -q -e {quote(token)} {file}"
    dead = f" || grep -q -e {quote(instead_of)} {file}" if instead_of else ""
    return _alone(
        f"set -e; install -d -m 0755 {LOCKS}; "
        f"if [ -s {file} ] && ! {{ {ours}{dead}; }}; then cat {file}; exit {LOCK_HELD}; fi; "
        f"printf '%s\\n' {quote(text)} > {file}.new; mv -T {file}.new {file}"
    )


def beat_lock(environment: str, token: str, text: str) -> str:
    """Write the holder's next heartbeat; 76 (LOCK_LOST) when another took the lock."""
    file = quote(lock_file(environment))
    return _alone(
        f"{holds_lock(environment, token)}; "
        f"printf '%s\\n' {quote(text)} > {file}.new && mv -T {file}.new {file}"
    )


def holds_lock(environment: str, token: str) -> str:
    """End with 76 (LOCK_LOST) unless this holder's token stands in the lock here."""
    file = quote(lock_file(environment))
    return f"grep -q -s -e {quote(token)} {file} || exit {LOCK_LOST}"


def drop_lock(environment: str, token: str) -> str:
    """Let go of the lock, if it is still this token's."""
    file = quote(lock_file(environment))
    return _alone(f"if grep -q -s -e {quote(token)} {file}; then rm -f {file}; fi")


def break_lock(environment: str, token: str, note: str) -> str:
    """Take the lock from its holder, if it is still this token's, and write down why."""
    file = quote(lock_file(environment))
    broken = quote(lock_file(environment).removesuffix(".lock") + ".broken")
    return _alone(
        f"if grep -q -s -e {quote(token)} {file}; then "
        f"printf '%s\\n' {quote(note)} >> {broken}; rm -f {file}; fi"
    )


def read_lock(environment: str) -> str:
    """Print who holds the environment's lock here; nothing where nobody does."""
    return f"cat {quote(lock_file(environment))} 2>/dev/null || true"


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


def survey_host(environment: str) -> str:
    """Facts about the host itself, and who holds the environment's lock, as `key=value` lines."""
    return "\n".join(
        (
            f'echo "lock=$({read_lock(environment)})"',
            'echo "init=$(cat /proc/1/comm)"',
            'echo "systemd=$(systemctl --version 2>/dev/null | head -n 1)"',
            'echo "selinux=$(getenforce 2>/dev/null || true)"',
            'd=/srv; [ -d "$d" ] || d=/; echo "free_kb=$(df -Pk "$d" | awk \'NR==2 {print $4}\')"',
            "sed -n 's/^MemAvailable: */free_memory_kb=/p' /proc/meminfo",
            'echo "now=$(date +%s)"',
            "for t in flock ss tar gzip xargs sha256sum b2sum systemd-analyze useradd "
            "curl python3; do",
            '  command -v "$t" >/dev/null 2>&1 && echo "tool=$t"; done; true',
        )
    )


def survey_app(app: str, user: str, replaces: str | None, environment_file: str | None) -> str:
    """Facts about an app on the host, as `<app>.key=value` lines."""
    base = home(app)
    lines = [
        f'for d in {base}/releases/*/; do d=${{d%/}}; [ -d "$d" ] && '
        f'echo "{app}.release=${{d##*/}}"; done',
        f"tail -n {HISTORY} {base}/records/history 2>/dev/null | sed 's/^/{app}.history=/'",
        f"for f in {base}/releases/.*.part; do "
        f'[ -e "$f" ] && echo "{app}.torn=$(du -sk "$f")"; done',
        f'for f in {base}/records/bad/*; do [ -f "$f" ] && echo "{app}.bad=${{f##*/}}"; done',
        f'for f in {base}/records/units/*.service; do [ -f "$f" ] && echo "{app}.kept=${{f##*/}}"; '
        "done",
        f'echo "{app}.group=$(id -gn {quote(user)} 2>/dev/null || true)"',
    ]
    if replaces:
        shown = "LoadState,ActiveState,UnitFileState"
        lines.append(f"systemctl show {quote(replaces)} -p {shown} | sed 's/^/{app}.replaces./'")
    if environment_file:
        stat = f"stat -L -c '%a %U' {quote(environment_file)} 2>/dev/null || true"
        lines.append(f'echo "{app}.environment_file=$({stat})"')
    return "\n".join(lines)


def survey_slot(app: str, port: int, unit: str) -> str:
    """Facts about one of an app's slots, as `<app>.<port>.key=value` lines."""
    base, u, slot = home(app), quote(unit), f"{app}.{port}"
    out = f"{base}/records/{port}.out"
    return "\n".join(
        (
            f'echo "{slot}.link=$(readlink {base}/slots/{port} || true)"',
            f"f=/etc/systemd/system/{u}",
            f'[ -f "$f" ] && echo "{slot}.unit_sha256=$(sha256sum < "$f" | cut -d" " -f1)"',
            f'[ -f "$f" ] && sed -n \'s/^Environment=.*CHANGEOVER_UNIT=\\([0-9a-f]*\\).*/'
            f'{slot}.unit_digest=\\1/p\' "$f"',
            f"show=$(systemctl show {u} -p {SHOWN} | sed 's/^/{slot}.show./'); echo \"$show\"",
            f'pid=${{show#*"{slot}.show.MainPID="}} pid=${{pid%%[!0-9]*}}',
            '[ "${pid:-0}" -gt 0 ] && tr "\\0" "\\n" < "/proc/$pid/environ" 2>/dev/null '
            f"| sed -n 's/^CHANGEOVER_\\([A-Z]*\\)=/{slot}.running.\\1=/p'",
            '[ "${pid:-0}" -gt 0 ] && '
            f"sed -n 's/^VmRSS: */{slot}.memory_kb=/p' \"/proc/$pid/status\" 2>/dev/null",
            f'[ -f {out} ] && echo "{slot}.out=$(cat {out})"',
            listeners(slot, port),
        )
    )


def listeners(key: str, port: int) -> str:
    """`<key>.listener=<pid> <unit> <process name>` for each process that listens on the port."""
    unit = r"sed -n 's/.*\/\([^/]*\.\(service\|scope\)\).*/\1/p' \"/proc/$p/cgroup\" | head -n 1"
    unit = unit.replace('\\"', '"')
    return (
        f"ss -ltnpH 'sport = :{port}' | grep -o 'pid=[0-9]*' | cut -d= -f2 | sort -u | "
        "while read -r p; do "
        f'echo "{key}.listener=$p $({unit}) $(cat "/proc/$p/comm")"; done; true'
    )


def connections(port: int) -> str:
    """The established connections to a port, with the kernel's figures on each."""
    return f"ss -tinH state established 'sport = :{port}'"


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


def find_contents(app: str, release: str, *, checked_now: bool = False) -> str:
    """Print what lies here of a release: `<place>`, a tab, and a manifest's line for each file.

    The manifests of releases tell it, and of an upload that was cut off the files themselves.
    checked_now: these alone, so that nothing is trusted that was checked at another time.
    """
    parted = f"{part(release)}/files"
    named = 'FNR == 1 { place = FILENAME; sub(".*/", "", place) }'
    once = r'!seen[$0]++ { print place "\t" $0 }'
    manifests = (
        "set --",
        'for m in ../records/manifests/*; do [ -d "./${m##*/}" ] && set -- "$@" "$m"; done',
        f'[ "$#" = 0 ] || awk \'{named}; {once}\' "$@"',
    )
    return "\n".join(
        (
            f"cd {home(app)}/releases 2>/dev/null || exit 0",
            "export LC_ALL=C",
            *(() if checked_now else manifests),
            f"cd {quote(parted)} 2>/dev/null || exit 0",
            f"find . -type f -exec b2sum -l {DIGEST_BITS} {{}} + | sed 's|^|{parted}\t|'",
        )
    )


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


def stage_units(judged: Sequence[tuple[str, int]], kept: Sequence[tuple[str, int]]) -> str:
    """Let the host's own systemd judge units under their real names, and keep them if it may.

    Texts come from stdin, one after the other: those that are judged (name and bytes of each),
    then those that are kept (file and bytes). Exit code 80 (UNIT_REFUSED) prints what systemd
    said: it ends with 0 for a misspelt key, but then names our file.
    """
    texts = [(f'"$d"/{quote(name)}', size) for name, size in judged]
    files = [(quote(file), size) for file, size in kept]
    units = " ".join(text for text, _ in texts)
    ours = " ".join(f"-e {quote(f'/{name}')}" for name, _ in judged)
    return "\n".join(
        (
            "set -e; d=$(mktemp -d); trap 'rm -rf \"$d\"' EXIT",
            *(f"head -c {size} > {text}" for text, size in texts),
            *(f"head -c {size} > {file}.new" for file, size in files),
            f'if ! systemd-analyze verify --man=no {units} > "$d/said" 2>&1 || '
            f'grep -q -F {ours} "$d/said"; then',
            f'  cat "$d/said"; rm -f {" ".join(f"{file}.new" for file, _ in files)}',
            f"  exit {UNIT_REFUSED}; fi",
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


def running_release(pid: int) -> str:
    """The release that a process was started from, as `running=<release>`, by its environment.

    Marked, since a shell's start-up files may speak before it.
    """
    return f'tr "\\0" "\\n" < /proc/{pid}/environ | sed -n \'s/^CHANGEOVER_RELEASE=/running=/p\''


def show_unit(unit: str) -> str:
    """The unit's state as `Key=Value` lines."""
    return f"systemctl show {quote(unit)} -p {SHOWN}"


def journal(unit: str, lines: int) -> str:
    """The last lines of the unit's journal."""
    return f"journalctl --unit {quote(unit)} --lines {lines} --no-pager --output short-iso"


def probe_with_curl(port: int, path: str, host: str, timeout_seconds: float) -> str:
    """Ask the slot on the host itself; prints the status code, 000 where nobody answers."""
    url = quote(f"http://127.0.0.1:{port}{path}")
    return (
        f"curl --silent --globoff --noproxy '*' --output /dev/null --write-out '%{{http_code}}' "
        f"--max-time {timeout_seconds:g} --header {quote(f'Host: {host}')} {url} || true"
    )


def probe_with_python(port: int, path: str, host: str, timeout_seconds: float) -> str:
    """The same question for hosts without curl."""
    program = (
        "import http.client as h, sys\n"
        "p, u, t, n = sys.argv[1:]\n"
        "try:\n"
        "    c = h.HTTPConnection('127.0.0.1', int(p), timeout=float(t))\n"
        "    c.request('GET', u, headers={'Host': n})\n"
        "    print(c.getresponse().status)\n"
        "except OSError:\n"
        "    print('000')\n"
    )
    words = (program, str(port), path, f"{timeout_seconds:g}", host)
    return "python3 -c " + " ".join(quote(word) for word in words)
