# shellcheck shell=sh
# Ends a trial, and removes its unit. $1: the unit's name.
systemctl stop "$1" 2>/dev/null || true
systemctl reset-failed "$1" 2>/dev/null || true
rm -f "/run/systemd/system/$1"
