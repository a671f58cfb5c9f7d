# shellcheck shell=sh
# The last lines of the journal of one invocation. $1: its id; $2: how many lines.
journalctl --sync 2>/dev/null || true
journalctl -q --no-pager -o short-iso -n "$2" "_SYSTEMD_INVOCATION_ID=$1" + "INVOCATION_ID=$1"
