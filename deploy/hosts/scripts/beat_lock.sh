# shellcheck shell=sh
# Writes the holder's next heartbeat where its lock is, and never where it is not: 76 (LOCK_LOST)
# where another holds the lock, 81 (LOCK_GONE) where none does. $1: file; $2: token; $3: the line.
if is_held_by "$1" "$2"; then
  write_lock "$1" "$3"
elif is_taken "$1"; then
  exit 76
else
  exit 81
fi
