# shellcheck shell=sh
# Prints `<key>=<the file's first bytes in hexadecimal>`. It follows `hex`.
# $1: the most bytes; then key and file of each.
most=$1
shift
while [ $# -gt 0 ]; do
  find_hex "$2" "$most"
  # shellcheck disable=SC2154 # hex: of find_hex
  echo "$1=$hex"
  shift 2
done
