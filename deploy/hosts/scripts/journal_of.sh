# shellcheck shell=sh
# The journal of one invocation: its first lines and its last ones. $1: its id; $2: how many first
# ones; $3: how many last ones. A line between them says how many were left out.
#
# What ends a program stands at the end of some journals (Python), and at the beginning of others,
# above a long stack trace (.NET, Go).
journalctl --sync 2>/dev/null || true
journalctl -q --no-pager -o short-iso -n 5000 "_SYSTEMD_INVOCATION_ID=$1" + "INVOCATION_ID=$1" |
  awk -v first="$2" -v last="$3" '
    NR <= first { print; next }
    { kept[NR % last] = $0 }
    END {
      from = NR - last + 1
      if (from <= first) from = first + 1
      gap = from - first - 1
      if (first > 0 && gap > 0) printf "(%d line%s left out)\n", gap, gap == 1 ? "" : "s"
      for (i = from; i <= NR; i++) print kept[i % last]
    }'
