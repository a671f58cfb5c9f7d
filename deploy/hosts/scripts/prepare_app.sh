# shellcheck shell=sh
# Makes the service's user and the app's folders; changes nothing where they are right.
# $1: app; $2: user.
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
