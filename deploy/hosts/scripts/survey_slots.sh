# shellcheck shell=sh
# Facts about slots, with keys `<app>.<port>.…`; all units and all ports are asked for at once.
# $1: the properties of units; then app, port and unit of each slot. It follows `processes`.
properties=$1
shift
units='' keys='' pids='' left=$#
newline='
'
while [ "$left" -gt 0 ]; do
  units="$units $3" keys="$keys$1.$2 " pids="$pids $1.$2=0"
  set -- "$@" "$1" "$2" "$3"
  shift 3
  left=$((left - 3))
done
# A blank line stands between two units.
while IFS='=' read -r k v; do
  case $k in
    '') keys=${keys#* } ;;
    *) fact "${keys%% *}.show.$k" "$v" ;;
  esac
  [ "$k" != MainPID ] || pids="$pids ${keys%% *}=${v%%[!0-9]*}"
done <<END_OF_UNITS
$(
  # shellcheck disable=SC2086 # a word for each unit; no unit's name has a space
  TZ=UTC systemctl show $units -p "$properties"
)
END_OF_UNITS
left=$# ports=''
while [ "$left" -gt 0 ]; do
  app=$1 port=$2 unit=$3 slot=$1.$2
  [ "$port" = 0 ] || ports="$ports $port $slot" # a worker has none
  set -- "$@" "$1" "$2" "$3"
  shift 3
  left=$((left - 3))
  fact "$slot.link" "$(readlink "/srv/$app/slots/$port" || true)"
  file=/etc/systemd/system/$unit
  if [ -f "$file" ]; then
    sum=$(sha256sum < "$file")
    fact "$slot.unit_sha256" "${sum%% *}"
    stated=$(sed -n 's/^Environment="\{0,1\}CHANGEOVER_UNIT=\([0-9a-f]*\).*/\1/p' "$file")
    fact "$slot.unit_digest" "${stated##*"$newline"}"
    fact "$slot.unit_written" "$(stat -L -c %Y "$file")"
  fi
  pid=${pids##* "$slot"=}
  pid=${pid%% *}
  if [ "${pid:-0}" -gt 0 ]; then
    fact "$slot.running" "$(running_release "$pid" "$app")"
    fact "$slot.own_namespace" "$(own_namespace "$pid")"
    memory=''
    while read -r k v _; do
      if [ "$k" = VmRSS: ]; then
        memory=$v
        break
      fi
    done < "/proc/$pid/status"
    fact "$slot.memory_kb" "$memory"
    # SIGTERM ends a shell that does not catch it, and leaves what it has started to be killed.
    shell=$(readlink "/proc/$pid/exe") || shell=''
    case ${shell##*/} in
      sh | ash | bash | dash | ksh | mksh | zsh)
        caught=$(sed -n 's/^SigCgt:[^0-9a-f]*//p' "/proc/$pid/status" 2>/dev/null)
        case $caught in
          *[4-7c-f]???) ;; # signal 15
          *)
            if cat /proc/[0-9]*/stat 2>/dev/null |
              awk -v "pid=$pid" '{ sub(/.*[)] /, "") } $2 == pid { n = 1 } END { exit !n }'; then
              fact "$slot.shell" "${shell##*/}"
            fi
            ;;
        esac
        ;;
    esac
  fi
  note=/srv/$app/records/$port.out
  if [ -f "$note" ]; then text "$slot.out" < "$note"; fi
done
# shellcheck disable=SC2086 # a word for each port and key
listeners $ports
