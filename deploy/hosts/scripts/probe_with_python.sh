# shellcheck shell=sh
# Asks a slot on the host itself, and prints the answer's status code, 000 where none came in time.
# $1: the Python program; the rest: its arguments.
python3 -c "$@"
