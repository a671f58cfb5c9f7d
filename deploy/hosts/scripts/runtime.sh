# shellcheck shell=sh
# What a unit's process was started from and who listens on its port, all at one moment.
# $1: app; $2: port. It follows `processes` and `show_unit`, which sets `pid`.
if [ "${pid:-0}" -gt 0 ]; then
  fact running "$(running_release "$pid" "$1")"
  fact own_namespace "$(own_namespace "$pid")"
fi
[ "$2" = 0 ] || listeners "$2" "$1" # a worker has none
