# shellcheck shell=sh
# Lets the host's systemd judge units whose release is not there yet; changes nothing.
# $1: the path that stands in their texts for the release; $2: the executable below it, or nothing;
# then name and text of each.
#
# A folder of its own, which is removed, stands for the release: its executable is an empty file.
# Exit code 80 (UNIT_REFUSED) prints what systemd said: it ends with 0 for a misspelt key, but then
# names our file.
set -eu
d=$(mktemp -d)
trap 'rm -rf "$d"' EXIT
place=$1 program=$2
shift 2
mkdir "$d/release" "$d/units"
if [ -n "$program" ]; then
  mkdir -p "$(dirname "$d/release/$program")"
  : > "$d/release/$program"
  chmod +x "$d/release/$program"
fi
while [ $# -gt 0 ]; do
  printf '%s' "$2" | sed "s|$place|$d/release|g" > "$d/units/$1"
  printf '/%s\n' "$1" >> "$d/names"
  shift 2
done
if ! systemd-analyze verify --man=no "$d"/units/*.service > "$d/said" 2>&1 ||
  grep -q -F -f "$d/names" "$d/said"; then
  sed "s|$d/||g" "$d/said"
  exit 80
fi
