# shellcheck shell=sh
# Writes down that a release failed. $1: app; $2: release; $3: the mark.
set -eu
folder=/srv/$1/records/bad
install -d -m 0700 "$folder"
printf '%s\n' "$3" > "$folder/.$2.new"
mv -T "$folder/.$2.new" "$folder/$2"
