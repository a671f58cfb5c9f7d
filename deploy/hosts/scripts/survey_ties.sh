# shellcheck shell=sh
# Other units that a change of a unit reaches. Arguments: key and name, of each unit. For one that is
# active: `<key>.stopped_with`, those that systemd stops with it and does not start with it again, and
# `<key>.started_by`, those that may start it. Only others that are active count.
#
# A stop goes on to what requires a unit, is bound to it or is a part of it (systemd.unit(5)); a start
# goes on to what the unit itself wants or requires.
properties=ActiveState,Wants,Requires,BindsTo,TriggeredBy,RequiredBy,RequisiteOf,BoundBy,ConsistsOf
tied() {
  state='' pulled=' ' stopped='' triggers=''
  while IFS='=' read -r k v; do
    case $k in
      ActiveState) state=$v ;;
      Wants | Requires | BindsTo) pulled="$pulled$v " ;;
      TriggeredBy) triggers=$v ;;
      *) stopped="$stopped $v" ;;
    esac
  done
  [ "$state" = active ] || return 0
  for other in $stopped; do
    case $other in multi-user.target | graphical.target) continue ;; esac
    case $pulled in *" $other "*) continue ;; esac
    if systemctl is-active --quiet "$other"; then fact "$1.stopped_with" "$other"; fi
  done
  for other in $triggers; do
    if systemctl is-active --quiet "$other"; then fact "$1.started_by" "$other"; fi
  done
}
while [ $# -gt 1 ]; do
  tied "$1" <<END_OF_UNIT
$(systemctl show "$2" -p "$properties" 2>/dev/null)
END_OF_UNIT
  shift 2
done
