# shellcheck shell=sh
# Removes releases, what is kept of them, and partial uploads, but no release that a slot points to.
# $1: app; $2: the release whose partial upload stays, or nothing; then the releases.
set -eu
base=/srv/$1 left=/srv/$1/releases/.$2.part
shift 2
for part in "$base"/releases/.*.part; do [ "$part" = "$left" ] || rm -rf "$part"; done
# By inode: a path may lead over a link, as where /srv is one.
is_used() {
  for slot in "$base"/slots/*; do
    # shellcheck disable=SC3013 # every sh that we meet knows -ef
    if [ "$slot" -ef "$1" ]; then return; fi
  done
  return 1
}
for release; do
  is_used "$base/releases/$release" ||
    rm -rf "$base/releases/$release" "$base/records/units/$release."* \
      "$base/records/manifests/$release"
done
