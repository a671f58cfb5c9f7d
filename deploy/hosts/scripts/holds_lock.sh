# shellcheck shell=sh
# Ends with 76 (LOCK_LOST) unless this holder's token is in the lock here. $1: file; $2: token.
is_held_by "$1" "$2" || exit 76
