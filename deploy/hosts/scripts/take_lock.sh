# shellcheck shell=sh
# Takes the environment's lock, or shows its holder and ends with 77 (LOCK_HELD).
# $1: file; $2: token; $3: the line; $4: the most bytes of a lock; $5: the token of a dead holder, or
# nothing; $6: the file as it was when that holder was found dead, in hex, or nothing: a heartbeat
# since then keeps the lock. A token whose lock was broken here never gets it again: 76 (LOCK_LOST).
set -eu
is_ours_or_left() {
  if is_held_by "$1" "$2"; then return; fi
  [ "$5" ] && is_held_by "$1" "$5" && { [ -z "$6" ] || [ "$(lock_in_hex "$1" "$4")" = "$6" ]; }
}
install -d -m 0755 "${1%/*}"
if is_taken "$1" && ! is_ours_or_left "$@"; then
  printf 'lock=%s\n' "$(lock_in_hex "$1" "$4")"
  exit 77
fi
if [ -f "${1%.lock}.broken" ]; then
  while read -r broken _; do [ "$broken" != "$2" ] || exit 76; done < "${1%.lock}.broken"
fi
write_lock "$1" "$3"
