# shellcheck shell=sh
# The last lines of a unit's journal. $1: unit; $2: how many.
journalctl --unit "$1" --lines "$2" --no-pager --output short-iso
