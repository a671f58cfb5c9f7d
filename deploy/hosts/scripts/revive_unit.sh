# shellcheck shell=sh
# Undoes retire_unit. $1: unit.
systemctl reset-failed "$1" 2>/dev/null
systemctl enable --now --quiet "$1"
