# shellcheck shell=sh
# Starts a unit that runs a command to its end, and does not wait for that.
# $1: the unit's name; $2: how the names of the app's such units begin; $3: bytes of its text, which
# comes from stdin; $4: where the name of the last one is noted.
#
# The unit's file shows that it was started, whatever became of the answer, and the note that it was
# before a restart of the host, which removes the file: then exit code 86 (RESTARTED). Exit code 85
# (STILL_RUNS) where an earlier one runs; what others left is removed.
set -eu
units=/run/systemd/system
install -d -m 0755 "$units"
[ ! -e "$units/$1" ] || exit 0
[ "$(cat "$4" 2>/dev/null)" != "$1" ] || exit 86
for file in "$units/$2".*.service; do
  [ -e "$file" ] || continue
  other=${file##*/}
  case $(systemctl show -p ActiveState "$other") in
    *=activating | *=deactivating | *=reloading)
      echo "$other runs"
      exit 85
      ;;
  esac
  systemctl stop "$other" 2>/dev/null || true
  systemctl reset-failed "$other" 2>/dev/null || true
  rm -f "$file"
done
head -c "$3" > "$units/$1.new"
# A connection that broke on the way leaves a shorter file.
if [ "$(wc -c < "$units/$1.new")" != "$3" ]; then
  rm -f "$units/$1.new"
  exit 1
fi
printf '%s\n' "$1" > "$4.new"
sync "$4.new"
mv -T "$4.new" "$4"
mv -T "$units/$1.new" "$units/$1"
if ! systemctl --no-ask-password start --no-block "$1"; then
  rm -f "$units/$1" "$4"
  exit 1
fi
