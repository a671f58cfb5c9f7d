# shellcheck shell=sh
# The facts `lock`: the lock's line as it is, empty where no deploy holds it; `progress`: how far
# its holder's run is; `lock_age`: seconds since the last heartbeat, by this host's own clock.
# $1: file; $2: the most bytes.
head -c "$2" "$1" 2>/dev/null | head -n 1 | text lock
if written=$(stat -c %Y "$1" 2>/dev/null); then
  age=$(($(date +%s) - written))
  if [ "$age" -ge 0 ]; then fact lock_age "$age"; fi
  head -c "$2" "${1%.lock}.progress" 2>/dev/null | head -n 1 | text progress
fi
