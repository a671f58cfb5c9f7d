# shellcheck shell=sh
# Lets the host's own systemd judge units under their real names. The texts come from stdin: those
# to be judged, then those to be kept.
# Arguments: name and bytes of each that is judged; --; file and bytes of each that is kept.
#
# What is to be kept lies in <file>.new afterwards, and `keep_units` follows. Before it a program may
# call `drop`, and use the folder $d. Exit code 80 (UNIT_REFUSED) prints what systemd said: it ends
# with 0 for a misspelt key, but then names our file.
set -eu
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
while [ "$1" != -- ]; do
  head -c "$2" > "$d/$1"
  printf '/%s\n' "$1" >> "$d/names"
  shift 2
done
shift
count=$# short=''
while [ "$count" -gt 0 ]; do
  head -c "$2" > "$1.new"
  # A connection that broke on the way leaves a shorter file.
  [ "$(wc -c < "$1.new")" = "$2" ] || short=yes
  set -- "$@" "$1.new"
  shift 2
  count=$((count - 2))
done
printf '%s\0' "$@" > "$d/new"
drop() { xargs -0 rm -f < "$d/new"; }
if [ "$short" ]; then
  drop
  exit 1
fi
if ! systemd-analyze verify --man=no "$d"/*.service > "$d/said" 2>&1 ||
  grep -q -F -f "$d/names" "$d/said"; then
  cat "$d/said"
  drop
  exit 80
fi
