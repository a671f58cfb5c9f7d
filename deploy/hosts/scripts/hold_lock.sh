# shellcheck shell=sh
# Takes a lock until the shell and its children end. $1: the file; $2: how many seconds to wait.
# Exit code 75 (LOCK_BUSY) where it stays taken.
# shellcheck disable=SC3067 # every sh that we meet knows -O
if ! { install -d -m 0700 /run/changeover && [ ! -L /run/changeover ] && [ -O /run/changeover ]; }
then
  echo '/run/changeover is not a folder of root; remove it' >&2
  exit 1
fi
exec 9>> "$1" || exit 1
flock -w "$2" -E 75 9 || exit $?
