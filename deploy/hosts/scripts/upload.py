"""What stages a release on a host: users and folders, the upload, the unit, and its removal.

Builders of scripts, as in `change`.
"""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from deploy import values
from deploy.hosts.scripts.change import (
    CONTENT_DIFFERS,
    OTHER_RELEASE,
    UNIT_REFUSED,
    home,
    release_path,
)
from deploy.package.manifest import DIGEST_BITS

if TYPE_CHECKING:
    from collections.abc import Sequence


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
