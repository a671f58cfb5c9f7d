# shellcheck shell=sh
# Lines of units' journals, each as JSON; the fact `now` is when the look began, in unix seconds.
# $1: `follow` to go on with those that come, or nothing; $2: how many of the last lines, or nothing
# for all; $3: from when on, in unix seconds, or nothing; $4: the cursor of the line before, or
# nothing; $5: a pattern that lines match, or nothing; $6: a release's id or version, or nothing for
# all; $7: units that count while they run; then the units.
#
# Which releases a journal has is asked of itself, since a version has a digest that is not known
# here. Fact `release`: none of them is meant, so no line is shown.
set -f
follow=$1 lines=$2 since=$3 cursor=$4 pattern=$5 release=$6 running=$7
shift 7
fact now "$(date +%s)"
for unit in $running; do
  if systemctl --quiet is-active "$unit"; then set -- "$@" "$unit"; fi
done
for unit; do
  set -- "$@" "--unit=$unit"
  shift
done
if [ "$lines" ]; then set -- "$@" "--lines=$lines"; fi
if [ "$since" ]; then set -- "$@" "--since=@$since"; fi
if [ "$cursor" ]; then set -- "$@" "--after-cursor=$cursor"; fi
if [ "$pattern" ]; then set -- "$@" "--grep=$pattern"; fi
if [ "$follow" ]; then set -- "$@" --follow --no-tail; fi
if [ "$release" ]; then
  known=''
  for value in $(journalctl --quiet --no-pager --field=CHANGEOVER_RELEASE 2>/dev/null); do
    case $value in
      "$release" | "$release"-????????????)
        set -- "$@" "CHANGEOVER_RELEASE=$value"
        known=yes
        ;;
    esac
  done
  if [ -z "$known" ]; then
    fact release unknown
    exit 0
  fi
fi
journalctl --quiet --no-pager --all --output=json \
  --output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,CHANGEOVER_RELEASE "$@"
