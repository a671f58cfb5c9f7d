# shellcheck shell=sh
# Removes the lock if it is still this token's, and writes down why; the token stays out.
# $1: file; $2: token; $3: the note.
set -eu
if is_held_by "$1" "$2"; then
  printf '%s %s\n' "$2" "$3" >> "${1%.lock}.broken"
  rm -f "$1" "${1%.lock}.progress"
fi
