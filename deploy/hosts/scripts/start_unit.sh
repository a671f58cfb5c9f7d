# shellcheck shell=sh
# Enables, loads and starts a unit. $1: unit.
#
# In this order: a link that is made after the reload has systemd 253 and newer report each of its
# units as changed (NeedDaemonReload=yes).
set -eu
systemctl enable --quiet --no-reload "$1"
systemctl daemon-reload
systemctl reset-failed "$1" 2>/dev/null || true
systemctl start "$1"
