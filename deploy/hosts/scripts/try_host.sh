# shellcheck shell=sh
# Tries in a folder of its own, which is removed, what a deploy's programs do; changes nothing else.
# It follows `gnu_trials`.
#
# Facts: `clock`, the host's time in seconds since 1970; `failed`, as text: a program that does not
# do what GNU's does, and in the lines below what it said. One that is absent is not tried.
fact clock "$(date +%s)"
d=$(mktemp -d)
trap 'cd / && rm -rf "$d"' EXIT
cd "$d" || exit 1

sums() { [ "$(printf a | sha256sum | cut -c 1-8)" = ca978112 ]; }
checks() { echo a > checked && b2sum -l 256 checked > sums && b2sum --check --quiet sums; }
packs() {
  mkdir from to && echo a > from/file &&
    tar -b 128 -czpf - -C from file | tar -b 128 -xzpf - -C to --no-same-owner &&
    [ "$(cat to/file)" = a ]
}
copies() {
  mkdir tree copy && echo a > tree/file &&
    printf 'tree/file\0' | xargs -0 -r cp --reflink=auto --parents -t copy &&
    [ "$(cat copy/tree/file)" = a ]
}
finds() { mkdir found && echo a > found/file && [ "$(find found -type f -printf .)" = . ]; }
encodes() { [ "$(printf abc | base64 -w 0)" = YWJj ]; }
dumps() { [ "$(printf a | od -An -v -tx1 -N 1 | tr -d ' ')" = 61 ]; }
counts() { [ "$(printf 'a b\n' | awk '{ print NF }')" = 2 ]; }
locks() { (flock -w 1 -E 75 8) 8>> lock; }
installs() { install -d -m 0700 made && [ "$(find made -perm 0700)" = made ]; }
syncs() { echo a > written && sync written; }
measures() { df -k --output=avail . | tail -n 1 | grep -q '^ *[0-9][0-9]*$'; }
connects() { ss -ltnpH > /dev/null && ss -tinH state established '( sport = :1 )' > /dev/null; }

# try PROGRAM TRIAL: prints a program whose trial fails.
try() {
  command -v "$1" > /dev/null 2>&1 || return 0
  said=$("$2" 2>&1) || printf '%s\n%s\n' "$1" "$said" | text failed
}
try mv renames
try b2sum digests
try b2sum checks
try sha256sum sums
try tar packs
try cp copies
try find finds
try base64 encodes
try od dumps
try awk counts
try flock locks
try install installs
try sync syncs
try df measures
try ss connects
