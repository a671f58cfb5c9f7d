# shellcheck shell=sh
# Makes the service's user and the app's folders; changes nothing where they are right.
# $1: app; $2: user. It follows `gnu_trials`.
#
# All that is switched is switched by rename, a link to a folder too. Exit code 84 (TOOLS_DIFFER)
# where this host's programs cannot: it prints the program, its version and what it said. That is
# tried in a folder that only root can enter, and that is removed.
#
# Exit code 85 (UNITS_UNWRITABLE) where no unit can be installed: it prints why. A unit is written
# when its service is stopped: that is too late to find a file system that is full or read-only, as
# /etc is on some distributions.
set -eu
app=$1 user=$2 base=/srv/$1
if ! getent passwd "$user" >/dev/null; then
  if getent group "$user" >/dev/null; then set -- --gid "$user"; else set -- --user-group; fi
  useradd --system "$@" --no-create-home --home-dir "/var/lib/$app" --shell /usr/sbin/nologin \
    "$user"
fi
group=$(id -gn "$user")
install -d -m 0755 "$base" "$base/slots" "$base/current"
install -d -m 0750 -g "$group" "$base/releases"
install -d -m 0700 "$base/records" "$base/records/units"
scratch=$base/records/.trial
rm -rf "$scratch"
mkdir "$scratch"
cd "$scratch"
wrong=''
if ! said=$(renames 2>&1); then
  wrong='mv'
elif ! said=$(digests 2>&1); then
  wrong='b2sum'
fi
cd /
rm -rf "$scratch"
if [ -n "$wrong" ]; then
  echo "$wrong"
  "$wrong" --version 2>&1 | head -n 1
  echo "$said" | head -n 1
  exit 84
fi
trial=/etc/systemd/system/.changeover-$app.trial
if ! said=$({ echo trial > "$trial"; } 2>&1); then
  rm -f "$trial" 2>/dev/null || true
  echo "$said" | head -n 1
  exit 85
fi
rm -f "$trial"
