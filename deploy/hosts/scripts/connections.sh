# shellcheck shell=sh
# The established connections to a port, with the kernel's figures on each. $1: port.
ss -tinH state established "sport = :$1"
