# shellcheck shell=sh
# Facts about slots, with keys `<app>.<port>.…`; all units and all ports are asked for at once.
# $1: the properties of units; then app, port and unit of each slot. It follows `processes`.
#
# Two of systemd's properties come from a cache, so the disk decides what they are:
# UnitFileState is read once and stays until the next reload (unit_get_unit_file_state), while
# `is-enabled` looks at the links; from version 253 NeedDaemonReload is `yes` for every unit once
# any unit was enabled or disabled without a reload (unit_file_state_outdated in core/unit.c).
properties=$1
shift
units='' keys='' pids='' cached=' ' outdated=' ' every='' left=$#
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
    UnitFileState) [ -z "$v" ] || cached="$cached${keys%% *} " ;;
    NeedDaemonReload)
      case $v in
        yes) outdated="$outdated${keys%% *} " ;;
        *) fact "${keys%% *}.show.$k" "$v" ;;
      esac
      ;;
    *) fact "${keys%% *}.show.$k" "$v" ;;
  esac
  [ "$k" != MainPID ] || pids="$pids ${keys%% *}=${v%%[!0-9]*}"
done <<END_OF_UNITS
$(
  # shellcheck disable=SC2086 # a word for each unit; no unit's name has a space
  TZ=UTC systemctl show $units -p "$properties"
)
END_OF_UNITS
# init.scope has no file: where it is outdated, systemd says so of all units, whatever changed.
is_outdated_for_all() {
  [ "$every" ] || every=$(systemctl show init.scope -p NeedDaemonReload --value 2>/dev/null)
  [ "$every" = yes ]
}
# $1: unit; $2: the digest that its file states. Whether systemd has loaded that very file.
is_loaded_as_it_is() {
  for d in /etc/systemd/system /etc/systemd/system.control /run/systemd/system \
    /run/systemd/system.control /usr/local/lib/systemd/system /usr/lib/systemd/system \
    /lib/systemd/system; do
    for f in "$d/$1.d"/*.conf "$d/${1%%@*}@.service.d"/*.conf; do
      if [ -e "$f" ]; then return 1; fi
    done
  done
  in_memory=$(systemctl show "$1" -p Environment --value 2>/dev/null | tr ' ' '\n' |
    sed -n 's/^"\{0,1\}CHANGEOVER_UNIT=\([0-9a-f]*\).*/\1/p')
  [ "$2" ] && [ "${in_memory##*"$newline"}" = "$2" ]
}
left=$# ports=''
while [ "$left" -gt 0 ]; do
  app=$1 port=$2 unit=$3 slot=$1.$2
  [ "$port" = 0 ] || ports="$ports $port $slot" # a worker has none
  set -- "$@" "$1" "$2" "$3"
  shift 3
  left=$((left - 3))
  fact "$slot.link" "$(readlink "/srv/$app/slots/$port" || true)"
  case $cached in
    *" $slot "*)
      fact "$slot.show.UnitFileState" "$(systemctl is-enabled "$unit" 2>/dev/null || true)"
      ;;
  esac
  stated=''
  file=/etc/systemd/system/$unit
  if [ -f "$file" ]; then
    sum=$(sha256sum < "$file")
    fact "$slot.unit_sha256" "${sum%% *}"
    stated=$(sed -n 's/^Environment="\{0,1\}CHANGEOVER_UNIT=\([0-9a-f]*\).*/\1/p' "$file")
    stated=${stated##*"$newline"}
    fact "$slot.unit_digest" "$stated"
    fact "$slot.unit_written" "$(stat -L -c %Y "$file")"
  fi
  case $outdated in
    *" $slot "*)
      needs=yes
      if is_outdated_for_all && is_loaded_as_it_is "$unit" "$stated"; then needs=no; fi
      fact "$slot.show.NeedDaemonReload" "$needs"
      ;;
  esac
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
