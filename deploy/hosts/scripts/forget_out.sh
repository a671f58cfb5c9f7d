# shellcheck shell=sh
# Removes the note that a target is out. $1: app; $2: port.
rm -f "/srv/$1/records/$2.out"
