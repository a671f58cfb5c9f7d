# shellcheck shell=sh
# Releases the lock, if it is still this token's. $1: file; $2: token.
if is_held_by "$1" "$2"; then rm -f "$1" "${1%.lock}.progress"; fi
