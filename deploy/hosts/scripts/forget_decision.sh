# shellcheck shell=sh
# Removes a decision, if the lock is this token's. $1: file; $2: token.
if is_held_by "$1" "$2"; then rm -f "${1%.lock}.decision"; fi
