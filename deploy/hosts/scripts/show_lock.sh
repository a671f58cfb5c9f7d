# shellcheck shell=sh
# Prints `lock=` and the lock's first bytes in hexadecimal; none if it is free. $1: file; $2: bytes.
printf 'lock=%s\n' "$(lock_in_hex "$1" "$2")"
