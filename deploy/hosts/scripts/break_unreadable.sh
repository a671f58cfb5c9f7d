# shellcheck shell=sh
# Removes a lock that names no holder, if it still has this text, and writes down why.
# $1: file; $2: the text in hex; $3: the note; $4: the most bytes of a lock.
set -eu
if [ "$(lock_in_hex "$1" "$4")" = "$2" ]; then
  printf '%s\n' "$3" >> "${1%.lock}.broken"
  rm -rf "$1"
fi
