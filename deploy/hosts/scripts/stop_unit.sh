# shellcheck shell=sh
# Stops a unit and waits until its processes are gone. $1: unit.
systemctl stop "$1"
