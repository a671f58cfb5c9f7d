# shellcheck shell=sh
# What is written down of an environment's runs, a line for each, oldest first. $1: folder.
if [ -d "$1" ]; then cat -- "$1"/*.json 2>/dev/null || true; fi
