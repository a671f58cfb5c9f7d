# shellcheck shell=sh
# Keeps what `stage_units` staged, by rename. Arguments: the files.
set -eu
for file; do
  set -- "$@" "$file.new"
  shift
done
sync "$@"
for file; do mv -T "$file" "${file%.new}"; done
