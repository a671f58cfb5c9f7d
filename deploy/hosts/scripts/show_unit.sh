# shellcheck shell=sh
# A unit's state as facts `<key>.<property>=<value>`; systemd prints times in UTC.
# $1: unit; $2: key; $3: the properties.
# shellcheck disable=SC2034 # pid: its main process, 0 for none; read by the program that follows
pid=0
while IFS='=' read -r k v; do
  fact "$2.$k" "$v"
  # shellcheck disable=SC2034
  [ "$k" != MainPID ] || pid=${v%%[!0-9]*}
done <<END_OF_UNIT
$(TZ=UTC systemctl show "$1" -p "$3")
END_OF_UNIT
