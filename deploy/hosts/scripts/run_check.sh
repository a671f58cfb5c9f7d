# shellcheck shell=sh
# Runs a worker's check as its service is run, and prints the end of its output and its exit code.
# $1: the most bytes of output; $2: how many of the next words are options of systemd-run; then
# these, and the command.
most=$1 options=$2
shift 2
left=$# number=0
while [ "$left" -gt 0 ]; do
  if [ "$number" = "$options" ]; then
    # A program of the release is looked for in its folder, which only the unit sees. systemd
    # makes one $ of two.
    # shellcheck disable=SC2016 # for that shell
    set -- "$@" /bin/sh -c \
      'if [ -f "./$$1" ]; then p=./$$1; shift; set -- "$$p" "$$@"; fi; exec "$$@"' sh
  fi
  set -- "$@" "$1"
  shift
  left=$((left - 1)) number=$((number + 1))
done
said=$(systemd-run --quiet --wait --pipe --collect "$@" < /dev/null 2>&1)
code=$?
printf '%s\n' "$said" | tail -c "$most"
printf '\n%s\n' "$code"
