"""What is asked of a host: builders of scripts that change nothing."""

from __future__ import annotations

from shlex import quote

from deploy import fence
from deploy.commands import HISTORY, SHOWN, home, part
from deploy.manifest import DIGEST_BITS

PROBE_BYTES = 64 * 1024


def survey_host(environment: str) -> str:
    """Facts about the host itself, and who holds the environment's lock, as `key=value` lines."""
    return "\n".join(
        (
            f'echo "lock=$({fence.read_lock(environment)})"',
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
