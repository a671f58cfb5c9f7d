# shellcheck shell=sh
# Prints texts that lie here, to compare them: each as a line with its name, a tab, and the text in
# base64. Of the n-th release its stored manifest (`manifest n`) and the sizes of its files (`sizes
# n`), of the n-th file its text (`file n`). What is not there has no line.
# $1: app; $2: the most bytes of a text; $3: how many releases; then these, and the files.
app=$1 most=$2 count=$3 number=0
shift 3
shown() { printf '%s\t%s\n' "$1" "$(head -c "$most" | base64 -w 0)"; }
for each; do
  if [ "$number" -lt "$count" ]; then
    manifest=/srv/$app/records/manifests/$each release=/srv/$app/releases/$each
    if [ -f "$manifest" ]; then shown "manifest $number" < "$manifest"; fi
    if [ -d "$release" ]; then
      find "$release" -type f -printf '%s %P\n' | shown "sizes $number"
    fi
  elif [ -f "$each" ]; then
    shown "file $((number - count))" < "$each"
  fi
  number=$((number + 1))
done
