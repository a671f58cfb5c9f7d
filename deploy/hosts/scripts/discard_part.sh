# shellcheck shell=sh
# Removes what an upload left. $1: app; $2: release.
rm -rf "/srv/$1/releases/.$2.part"
