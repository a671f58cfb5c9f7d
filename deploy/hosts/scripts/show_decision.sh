# shellcheck shell=sh
# Prints `decision=` and its first bytes in hexadecimal; none if there is none. $1: file; $2: bytes.
printf 'decision=%s\n' "$(lock_in_hex "${1%.lock}.decision" "$2")"
