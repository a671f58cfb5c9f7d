"""What is asked of a host: builders of scripts that change nothing.

What they print of a host's own values are facts (see `ssh.framing`). Builders raise Malformed
for a name outside the grammar.
"""

from __future__ import annotations

from shlex import quote

from deploy import values
from deploy.hosts.scripts import lock
from deploy.hosts.scripts.change import home
from deploy.hosts.scripts.history import HISTORY
from deploy.hosts.scripts.service import show_unit
from deploy.hosts.scripts.upload import part
from deploy.package.manifest import DIGEST_BITS

PROBE_BYTES = 64 * 1024
MOST_FOUND_BYTES = 64 * 1024 * 1024
"""How much a host prints of what lies there of a release: beyond it, files are sent anew."""

TOOLS = "flock ss tar gzip xargs sha256sum b2sum base64 od awk systemd-analyze useradd curl python3"

# The release that a process was started from, as the kernel knows it: the folder that is mounted
# where the unit mounts it. The process can change its environment, its name and, below its own
# file systems, every file; not its mounts, unless it may make a user namespace.
_RUNNING = """\
running_release() {
  at=$(readlink -f "/srv/$2/current") && [ -n "$at" ] || return 0
  awk -v at="$at" '$5 == at { n = 1 } END { exit !n }' "/proc/$1/mountinfo" 2>/dev/null || return 0
  here=$(stat -L -c %d:%i "/proc/$1/root$at" 2>/dev/null) || return 0
  for d in "/srv/$2"/releases/*/; do
    d=${d%/}
    [ ! -L "$d" ] && [ "$(stat -c %d:%i "$d" 2>/dev/null)" = "$here" ] && echo "${d##*/}"
  done
  true
}
own_namespace() {
  [ "$(readlink "/proc/$1/ns/user")" = "$(readlink /proc/1/ns/user)" ] && echo no || echo yes
}
"""


def survey_host(environment: str) -> str:
    """Facts about the host itself, and who holds the environment's lock."""
    return "\n".join(
        (
            f"{{ {lock.read_lock(environment)}; }} | text lock",
            'fact init "$(cat /proc/1/comm)"',
            "fact systemd \"$(systemctl --version 2>/dev/null | awk 'NR == 1 { print $2 }')\"",
            'fact selinux "$(getenforce 2>/dev/null || true)"',
            'd=/srv; [ -d "$d" ] || d=/; fact free_kb "$(df -Pk "$d" | awk \'NR==2 {print $4}\')"',
            "fact free_memory_kb \"$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)\"",
            f'for t in {TOOLS}; do command -v "$t" >/dev/null 2>&1 && fact tool "$t"; done; true',
        )
    )


def survey_app(app: str, user: str, replaces: str | None, environment_file: str | None) -> str:
    """Facts about an app on the host, with keys `<app>.…`."""
    base, who = home(app), values.checked(values.name, user)
    records = f"{base}/records"
    each = '[ -f "$f" ] && [ ! -L "$f" ] && fact'
    lines = [
        f'for d in {base}/releases/*/; do d=${{d%/}}; [ -d "$d" ] && [ ! -L "$d" ] && '
        f'fact {app}.release "${{d##*/}}"; done',
        f"[ ! -f {records}/history ] || tail -n {HISTORY} {records}/history | text {app}.history",
        f"for f in {base}/releases/.*.part; do "
        f'[ -d "$f" ] && fact {app}.partial "$(du -sk "$f" | cut -f 1) ${{f##*/}}"; done',
        f'for f in {records}/bad/*; do {each} {app}.bad "${{f##*/}}"; done',
        f'for f in {records}/units/*.service; do {each} {app}.kept "${{f##*/}}"; done',
        f'set --; for f in {records}/manifests/*; do [ -f "$f" ] && [ ! -L "$f" ] && '
        'set -- "$@" "$f"; done',
        f'[ "$#" = 0 ] || b2sum -l {DIGEST_BITS} -- "$@" | while read -r d f; do '
        f'fact {app}.manifest "$d ${{f##*/}}"; done',
        f'fact {app}.group "$(id -gn {who} 2>/dev/null || true)"',
    ]
    if replaces:
        previous = quote(values.checked(values.unit_name, replaces))
        shown = "LoadState,ActiveState,UnitFileState"
        lines.append(
            f"systemctl show {previous} -p {shown} | "
            f'while IFS=\'=\' read -r k v; do fact "{app}.replaces.$k" "$v"; done'
        )
    if environment_file:
        lines.append(f"[ ! -e {quote(environment_file)} ] || fact {app}.environment_file there")
    return "\n".join(lines)


def survey_slot(app: str, port: int, unit_name: str) -> str:
    """Facts about one of an app's slots, with keys `<app>.<port>.…`."""
    base, slot = home(app), f"{app}.{int(port)}"
    u = quote(values.checked(values.unit_name, unit_name))
    digest = 's/^Environment="\\{0,1\\}CHANGEOVER_UNIT=\\([0-9a-f]*\\).*/\\1/p'
    return "\n".join(
        (
            _RUNNING,
            f'fact {slot}.link "$(readlink {base}/slots/{int(port)} || true)"',
            f"f=/etc/systemd/system/{u}",
            'if [ -f "$f" ]; then',
            f'  fact {slot}.unit_sha256 "$(sha256sum < "$f" | cut -c 1-64)"',
            f'  fact {slot}.unit_digest "$(sed -n \'{digest}\' "$f" | tail -n 1)"',
            f'  fact {slot}.unit_written "$(stat -L -c %Y "$f")"; fi',
            show_unit(unit_name, f"{slot}.show"),
            'if [ "${pid:-0}" -gt 0 ]; then',
            f'  fact {slot}.running "$(running_release "$pid" {app})"',
            f'  fact {slot}.own_namespace "$(own_namespace "$pid")"',
            f"  fact {slot}.memory_kb "
            '"$(awk \'/^VmRSS:/ { print $2 }\' "/proc/$pid/status" 2>/dev/null)"; fi',
            f"[ ! -f {base}/records/{int(port)}.out ] || "
            f"text {slot}.out < {base}/records/{int(port)}.out",
            listeners(slot, port),
        )
    )


def listeners(key: str, port: int) -> str:
    """`<key>.listener`: pid, name in hex and cgroup of each process that listens on the port.

    The cgroup is relative to systemd's own root, which in a container is not the hierarchy's.
    """
    cgroup = r"sed -n -e 's/^[0-9]*:name=systemd://p' -e 's/^0:://p'"
    return "\n".join(
        (
            f'cgroup_of() {{ {cgroup} "/proc/$1/cgroup" | head -n 1; }}',
            "top=$(cgroup_of 1) top=${top%/init.scope}",
            f"for p in $(ss -ltnpH 'sport = :{int(port)}' | grep -o ',pid=[0-9]*,fd=' | "
            "tr -cd '0-9\\n' | sort -u); do",
            '  name=$(head -c 64 "/proc/$p/comm" | od -An -v -tx1 | tr -d " \\n")',
            '  cgroup=$(cgroup_of "$p")',
            f'  fact {key}.listener "$p $name ${{cgroup#"$top"}}"; done',
        )
    )


def connections(port: int) -> str:
    """The established connections to a port, with the kernel's figures on each."""
    return f"ss -tinH state established 'sport = :{int(port)}'"


def find_contents(app: str, release: str, *, checked_now: bool = False) -> str:
    """Print what lies here of a release: `<place>`, a tab, and a manifest's line for each file.

    It is read from the manifests of releases, and for a partial upload from the files themselves.
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
    found = "\n".join(
        (
            f"cd {home(app)}/releases 2>/dev/null || exit 0",
            *(() if checked_now else manifests),
            f"cd {quote(parted)} 2>/dev/null || exit 0",
            f"find . -type f -exec b2sum -l {DIGEST_BITS} {{}} + | sed 's|^|{parted}\t|'",
        )
    )
    return f"( {found}\n) | head -c {MOST_FOUND_BYTES}"


def runtime(app: str, unit_name: str, port: int) -> str:
    """What a unit's process was started from and who listens on its port, all at one moment.

    Facts with keys `show.…`, `running`, `own_namespace` and `<app>.listener`.
    """
    name = values.checked(values.name, app)
    return "\n".join(
        (
            _RUNNING,
            show_unit(unit_name),
            'if [ "$pid" -gt 0 ]; then',
            f'  fact running "$(running_release "$pid" {name})"',
            '  fact own_namespace "$(own_namespace "$pid")"; fi',
            listeners(name, port),
        )
    )


def journal(unit_name: str, lines: int) -> str:
    """The last lines of the unit's journal."""
    name = quote(values.checked(values.unit_name, unit_name))
    return f"journalctl --unit {name} --lines {int(lines)} --no-pager --output short-iso"


def probe_with_curl(port: int, path: str, host: str, timeout_seconds: float) -> str:
    """Ask the slot on the host itself; prints the final answer's status code.

    000 where no answer came with all of its headers in time, within 64 KiB; nothing without curl.
    """
    url = quote(f"http://127.0.0.1:{port}{path}")
    # An empty line ends an answer's headers: a code without it is one of half an answer. The body
    # has no limit but the time: with --max-filesize curl prints half of a large answer's headers.
    last = (
        "awk '/^HTTP\\//{c=$2} /^$/{if (c==101 || (c>=200 && c<=599)) f=c} "
        'END{print f ? f : "000"}\''
    )
    return (
        "command -v curl >/dev/null || exit 0; "
        f"curl --silent --globoff --noproxy '*' --output /dev/null --dump-header - "
        f"--max-time {timeout_seconds:.3f} "
        f"--header {quote(f'Host: {host}')} {url} 2>/dev/null "
        f"| head -c {PROBE_BYTES} | tr -d '\\r' | {last}"
    )


def probe_with_python(port: int, path: str, host: str, timeout_seconds: float) -> str:
    """The same question for hosts without curl."""
    program = f"""
import re, socket, sys, time
p, u, t, n = sys.argv[1:]
end, data, code = time.monotonic() + float(t), b"", "000"
head = re.compile(rb"HTTP/1\\.[0-9] ([1-5][0-9]{{2}})(?=[ \\r\\n])[^\\0]*?\\n\\r?\\n")
asked = "GET %s HTTP/1.1\\nHost: %s\\nConnection: close\\n\\n" % (u, n)
try:
    s = socket.create_connection(("127.0.0.1", int(p)), float(t))
    s.sendall(asked.replace("\\n", "\\r\\n").encode())
    while code == "000" and len(data) < {PROBE_BYTES} and time.monotonic() < end:
        s.settimeout(max(end - time.monotonic(), 0.001))
        more = s.recv(4096)
        if not more:
            break
        data += more
        found = head.match(data)
        while found and b"100" <= found[1] < b"200" and found[1] != b"101":
            data = data[found.end():]
            found = head.match(data)
        code = found[1].decode() if found else code
except (OSError, ValueError):
    pass
print(code)
"""
    words = (program, str(port), path, f"{timeout_seconds:.3f}", host)
    return "python3 -c " + " ".join(quote(word) for word in words)
