# shellcheck shell=sh
# Points a slot's link at a release and installs its stored unit, each by rename.
# $1: app; $2: port; $3: release; $4: user; $5: unit; $6: the unit's digest; then the units of the
# app's other slots, over whose texts the digest was made too.
#
# The release may have been unpacked for another user than the one it will run as now. Nothing
# changes unless all is there. Exit code 83 (UNIT_CHANGED) where the stored unit is not what its
# digest says.
set -eu
port=$2 release=$3 user=$4 unit=$5 digest=$6
base=/srv/$1 file=/etc/systemd/system/$5
kept=$base/records/units/$release.$digest
shift 6
test -d "$base/releases/$release"
test -f "$kept.$unit"
test ! -L "$kept.$unit"
# The digest is of the texts without it.
fits() {
  found=$(cat -- "$@" 2>/dev/null | sed "s/$digest//g" | sha256sum | cut -c "1-${#digest}")
  [ "$found" = "$digest" ]
}
is_as_stored() {
  if fits "$kept.$unit"; then return; fi
  for other; do
    if fits "$kept.$unit" "$kept.$other" || fits "$kept.$other" "$kept.$unit"; then return; fi
  done
  return 1
}
if ! is_as_stored "$@"; then
  echo "the stored unit $unit of $release is not what its digest says: it was changed; deploy the" \
    "package of this release again" >&2
  exit 83
fi
chgrp -R -h "$(id -gn "$user")" "$base/releases/$release"
install -m 0644 "$kept.$unit" "$file.new"
ln -sfnT "../releases/$release" "$base/slots/.$port.new"
mv -T "$base/slots/.$port.new" "$base/slots/$port"
mv -T "$file.new" "$file"
if command -v restorecon >/dev/null 2>&1; then restorecon "$file"; fi
