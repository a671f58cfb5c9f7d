# shellcheck shell=sh
# Stops a unit for good: it does not start at the next boot. A unit that is not there is no error.
# $1: unit. The facts are those of `stop_unit`.
#
# `disable` reloads systemd: without that it goes on to report the unit as enabled, and from
# version 253 each of its units as changed (NeedDaemonReload=yes). It removes every link to the
# unit's file as well (systemctl(1)), also the one by which systemd knows a file that lies elsewhere,
# which `enable` by name could not find again: that one is put back.
was=$(systemctl show "$1" -p ActiveState --value)
sub=$(systemctl show "$1" -p SubState --value)
if systemctl cat "$1" >/dev/null 2>&1; then
  link=/etc/systemd/system/$1
  case $1 in *@*) [ -L "$link" ] || link=/etc/systemd/system/${1%%@*}@.service ;; esac
  target=$(readlink "$link") || target=''
  systemctl disable --now --quiet "$1" || exit
  if [ "$target" ] && [ ! -L "$link" ]; then
    ln -s "$target" "$link" && systemctl daemon-reload || exit
  fi
fi
fact stopped.was "$was"
fact stopped.sub "$sub"
fact stopped.result "$(systemctl show "$1" -p Result --value)"
