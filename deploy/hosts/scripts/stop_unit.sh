# shellcheck shell=sh
# Stops a unit and waits until its processes are gone. $1: unit.
#
# `systemctl stop` ends with 0 too where systemd had to kill it: facts say its state before
# (`stopped.was`, `stopped.sub`) and how systemd judges its end (`stopped.result`).
was=$(systemctl show "$1" -p ActiveState --value)
sub=$(systemctl show "$1" -p SubState --value)
systemctl stop "$1" || exit
fact stopped.was "$was"
fact stopped.sub "$sub"
fact stopped.result "$(systemctl show "$1" -p Result --value)"
