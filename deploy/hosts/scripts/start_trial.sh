# shellcheck shell=sh
# Starts a release for a while, beside the one that serves, on the first port that is free; prints
# the port, or nothing where none is. How the start ends is asked for afterwards.
# $1: the unit's name; then port and bytes of each unit's text, which come from stdin.
set -eu
unit=$1 file=/run/systemd/system/$1 port=''
shift
systemctl stop "$unit" 2>/dev/null || true
systemctl reset-failed "$unit" 2>/dev/null || true
install -d -m 0755 /run/systemd/system
while [ $# -gt 0 ]; do
  head -c "$2" > "$file.new"
  if [ -z "$port" ] && [ -z "$(ss -tanH "sport = :$1")" ]; then
    mv "$file.new" "$file"
    port=$1
  fi
  shift 2
done
rm -f "$file.new"
[ -n "$port" ] || exit 0
echo "$port"
systemctl --no-ask-password start "$unit" > /dev/null 2>&1 || true
