# shellcheck shell=sh
# Writes down that a target is about to leave the load balancer. $1: app; $2: port; $3: the note.
set -eu
file=/srv/$1/records/$2.out
install -d -m 0755 "/srv/$1"
install -d -m 0700 "/srv/$1/records"
printf '%s\n' "$3" > "$file.new"
mv -T "$file.new" "$file"
