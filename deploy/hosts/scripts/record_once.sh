# shellcheck shell=sh
# Writes down how far a command came that is run once for each release, in a file of its own that
# appears whole, and removes the oldest ones: 76 (LOCK_LOST) where another deploy holds the lock.
# $1: lock file; $2: token; $3: folder; $4: the file's name; $5: the line; $6: how many files stay.
is_held_by "$1" "$2" || exit 76
set -eu
umask 077
install -d -m 0700 "$3"
printf '%s\n' "$5" > "$3/$4.new"
sync "$3/$4.new"
mv -T "$3/$4.new" "$3/$4"
sync "$3"
# shellcheck disable=SC2012 # no name has a space in it
ls -1t "$3" | tail -n "+$(($6 + 1))" | while read -r old; do rm -f "$3/$old"; done
