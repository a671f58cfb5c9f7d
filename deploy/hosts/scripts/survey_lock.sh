# shellcheck shell=sh
# The fact `lock`: the lock's line as it is; empty where no deploy holds it. $1: file; $2: the most
# bytes.
head -c "$2" "$1" 2>/dev/null | head -n 1 | text lock
