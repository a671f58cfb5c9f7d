# shellcheck shell=sh
# Prints the lock's line as it is; nothing where no deploy holds it. $1: file; $2: the most bytes.
head -c "$2" "$1" 2>/dev/null | head -n 1
