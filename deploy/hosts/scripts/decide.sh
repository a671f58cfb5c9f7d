# shellcheck shell=sh
# Writes what a person decided about the deploy that holds the lock: 76 (LOCK_LOST) where another
# holds it, or none does. $1: file; $2: token; $3: the decision; $4: who made it, and when.
set -eu
is_held_by "$1" "$2" || exit 76
printf '%s %s %s\n' "$2" "$3" "$4" > "${1%.lock}.decision.new"
mv -T "${1%.lock}.decision.new" "${1%.lock}.decision"
