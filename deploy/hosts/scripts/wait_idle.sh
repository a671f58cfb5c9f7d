# shellcheck shell=sh
# Waits until no command of a deploy runs for an app. $1: the app's lock; $2: for how many seconds.
# Exit code 75 (LOCK_BUSY) names, on stderr, what still holds the lock.
if [ -e "$1" ]; then
  flock -w "$2" "$1" true || {
    pids=$(find /proc/[0-9]*/fd -lname "$1" 2>/dev/null | cut -d / -f 3 | sort -u | paste -s -d ,)
    ps -o pid=,etime=,comm= -p "$pids" | head -n 5 >&2
    exit 75
  }
fi
