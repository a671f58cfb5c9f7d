# shellcheck shell=sh
# Reads a parcel from stdin, copies the rest, checks all, and publishes it by rename.
# $1: app; $2: release; $3: user; $4: how many symbolic links the release has; $5: the digest of its
# manifest; $6: the digests' bits.
#
# Nothing appears under the release's name before all of it is there, right and on disk. An upload
# that is cut off leaves its part, for the next one to go on from. Exit code 78 (CONTENT_DIFFERS)
# where a file is not as in the package: a copy, as a rule; 82 (OTHER_RELEASE) where another release
# has this name. `label_files` comes before it.
set -eu
umask 077
user=$3 links=$4 digest=$5 bits=$6
part=/srv/$1/releases/.$2.part final=/srv/$1/releases/$2
manifests=/srv/$1/records/manifests
kept=$manifests/$2
if [ -e "$final" ]; then
  cat > /dev/null
  [ "$(b2sum -l "$bits" < "$kept" | cut -c 1-64)" = "$digest" ] && exit 0
  echo "$final is there with other files" >&2
  exit 82
fi
mkdir -p "$part"
rm -rf "$part/copies"
# In records of 64 KiB: in tar's own of 10 KiB it takes a fifth more work.
tar -b 128 -xzpf - -C "$part" --no-same-owner
# What cannot be copied is missed by the check.
for list in "$part"/copies/*; do
  if [ ! -f "$list" ] || ! cd "${part%/*}/${list##*/}" 2>/dev/null; then continue; fi
  xargs -0 cp --reflink=auto --parents -t "$part/files" < "$list" || true
done
cd "$part/files"
xargs -0 -r -n 2 cp --reflink=auto -T < ../moves || true
if ! wrong=$(b2sum --check --quiet ../manifest 2>/dev/null); then
  first=$(echo "$wrong" | head -n 1) count=$(echo "$wrong" | wc -l)
  echo "$count files are not as in the package, ${first%: FAILED*} is one" >&2
  exit 78
fi
lies="$(find . -type f -printf . | wc -c) files, $(find . -type l | wc -l) links"
if [ "$lies" != "$(grep -c -v '^#' ../manifest) files, $links links" ]; then
  echo "there is more than in the package: $lies" >&2
  exit 1
fi
find . -type d -exec chmod 0750 {} + -o -type f -exec chmod 0640 {} +
xargs -0 -r chmod 0750 < ../executables
label_files "$final" ../executables
chown -R -h "root:$(id -gn "$user")" .
find . \( -type d -o -type f \) -exec sync {} +
install -d -m 0700 "$manifests"
cp ../manifest "$kept.new"
sync "$kept.new"
mv -T "$kept.new" "$kept"
cd ..
mv -T files "$final"
sync "$final" "${final%/*}"
rm -rf "$part"
