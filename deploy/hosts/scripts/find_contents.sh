# shellcheck shell=sh
# Prints what lies here of a release: `<place>`, a tab, and a manifest's line for each file. It is
# read from the manifests of releases, and for a partial upload from the files themselves.
# $1: app; $2: release; $3: the digests' bits; $4: the most bytes; $5: yes for the partial upload
# alone, so that nothing is trusted that was checked at another time.
contents() {
  part=.$2.part/files bits=$3 checked_now=$5
  cd "/srv/$1/releases" 2>/dev/null || return 0
  if [ "$checked_now" != yes ]; then
    set --
    for m in ../records/manifests/*; do
      if [ -d "./${m##*/}" ]; then set -- "$@" "$m"; fi
    done
    [ $# = 0 ] || awk '
      FNR == 1 { place = FILENAME; sub(".*/", "", place) }
      !seen[$0]++ { print place "\t" $0 }' "$@"
  fi
  cd "$part" 2>/dev/null || return 0
  find . -type f -exec b2sum -l "$bits" {} + | sed "s|^|$part	|"
}
contents "$@" | head -c "$4"
