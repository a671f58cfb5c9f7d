# shellcheck shell=sh
# Runs a worker's check as its service's user, and prints the end of its output and its exit code.
# $1: the most bytes of output; $2: the most seconds, after which timeout(1) ends it with 124 or 137;
# $3: how many of the next words are options of systemd-run; then these, and the command.
most=$1 seconds=$2 options=$3
shift 3
left=$# number=0
while [ "$left" -gt 0 ]; do
  if [ "$number" = "$options" ]; then
    # A program of the release is looked for in its folder, which only the unit sees. systemd
    # makes one $ of two.
    # shellcheck disable=SC2016 # for that shell
    set -- "$@" /bin/sh -c \
      's=$$1; shift; if [ -f "./$$1" ]; then p=./$$1; shift; set -- "$$p" "$$@"; fi
      exec timeout --foreground -k 1 "$$s" "$$@"' sh "$seconds"
  fi
  set -- "$@" "$1"
  shift
  left=$((left - 1)) number=$((number + 1))
done
# Its output may have no end: only the last bytes are kept.
exec 4>&1
code=$({ {
  systemd-run --quiet --wait --pipe --collect "$@" < /dev/null 2>&1 3>&- 4>&-
  echo "$?" >&3
} | tail -c "$most" >&4; } 3>&1)
printf '\n%s\n' "$code"
