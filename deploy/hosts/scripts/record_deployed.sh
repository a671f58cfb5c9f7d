# shellcheck shell=sh
# Adds a line to the history, whose new text replaces the old one by rename. Removes the note that
# the target is out, and the mark that the release failed.
# $1: app; $2: port; $3: the line; $4: release; $5: how many earlier lines stay.
set -eu
records=/srv/$1/records
{
  tail -n "$5" "$records/history" 2>/dev/null || true
  printf '%s\n' "$3"
} > "$records/history.new"
sync "$records/history.new"
mv -T "$records/history.new" "$records/history"
rm -f "$records/$2.out" "$records/bad/$4"
