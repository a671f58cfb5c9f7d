# shellcheck shell=sh
# Prints `once=` and a record's first bytes in hexadecimal, none if there is none; and whether the
# app was ever deployed here. $1: file; $2: bytes; $3: the app's history.
printf 'once=%s\n' "$(lock_in_hex "$1" "$2")"
if [ -s "$3" ]; then echo history=yes; else echo history=no; fi
