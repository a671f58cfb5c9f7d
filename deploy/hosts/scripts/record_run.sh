# shellcheck shell=sh
# Writes down how a run ended, in a file of its own that appears whole, and removes the oldest ones.
# $1: folder; $2: the file's name, which begins with the time; $3: the line; $4: how many files stay.
set -eu
umask 077
install -d -m 0755 "${1%/*}"
install -d -m 0700 "$1"
printf '%s\n' "$3" > "$1/$2.new"
sync "$1/$2.new"
mv -T "$1/$2.new" "$1/$2"
count=0
for file in "$1"/*.json; do count=$((count + 1)); done
for file in "$1"/*.json; do
  [ "$count" -gt "$4" ] || break
  rm -f "$file"
  count=$((count - 1))
done
