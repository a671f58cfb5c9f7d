# shellcheck shell=sh
# Asks a slot on the host itself, and prints the answer's status code, 000 where none came in time.
# $1: port; $2: path; $3: the most seconds; $4: the Host header; $5: the Python program.
python3 -c "$5" "$1" "$2" "$3" "$4"
