# shellcheck shell=sh
# Makes the service's user and the app's folders; changes nothing where they are right.
# $1: app; $2: user.
#
# All that is switched is switched by rename, a link to a folder too. Exit code 84 (TOOLS_DIFFER)
# where this host's programs cannot: it prints the program, its version and what it said. That is
# tried in a folder that only root can enter, and that is removed. uutils' mv of 0.0.17 and 0.0.30
# cannot (uutils/coreutils#6351; `cannot move …: Not a directory`), and b2sum of 0.0.17 has no -l.
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
mkdir "$scratch" "$scratch/old" "$scratch/new"
cd "$scratch"
echo old > file
echo new > file.new
ln -sfnT ../.trial/old link
ln -sfnT ../.trial/new link.new
renames() {
  mv -T link.new link && [ "$(readlink link)" = ../.trial/new ] && [ ! -L link.new ] &&
    mv -T file.new file && [ "$(cat file)" = new ] &&
    mv -T new final && [ -d final ] && [ -z "$(ls -A old)" ]
}
digests() { [ "$(b2sum -l 256 < file | cut -d ' ' -f 1 | wc -c)" = 65 ]; }
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
