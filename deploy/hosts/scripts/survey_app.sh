# shellcheck shell=sh
# Facts about an app on the host, with keys `<app>.…`.
# $1: app; $2: user; $3: how many lines of the history; $4: the digests' bits; $5: the unit that it
# replaces, or nothing; $6: its environment file, or nothing; then the units of its slots.
app=$1 user=$2 lines=$3 bits=$4 replaces=$5 environment_file=$6
shift 6
slots=$*
base=/srv/$app records=/srv/$app/records
is_plain() { [ -f "$1" ] && [ ! -L "$1" ]; }
for d in "$base"/releases/*/; do
  d=${d%/}
  if [ -d "$d" ] && [ ! -L "$d" ]; then fact "$app.release" "${d##*/}"; fi
done
if [ -f "$records/history" ]; then tail -n "$lines" "$records/history" | text "$app.history"; fi
for d in "$base"/releases/.*.part; do
  if [ -d "$d" ]; then fact "$app.partial" "$(du -sk "$d" | cut -f 1) ${d##*/}"; fi
done
for f in "$records"/bad/*; do
  if is_plain "$f"; then
    fact "$app.bad" "${f##*/}"
    # What it says is read of the releases that lie here: those are few.
    if [ -d "$base/releases/${f##*/}" ]; then
      { printf '%s\n' "${f##*/}" && head -c 2000 "$f"; } | text "$app.mark"
    fi
  fi
done
for f in "$records"/units/*.service; do
  if is_plain "$f"; then
    fact "$app.kept" "${f##*/}"
    # Of a release that was deployed before a port was added, the new slot's unit is made of this.
    named=${f%."$app"@*} release=${f##*/}
    release=${release%."$app"@*}
    if [ -d "$base/releases/${release%.*}" ]; then
      for unit in $slots; do
        [ ! -f "$named.$unit" ] || continue
        { printf '%s\n' "${f##*/}" && head -c 60000 "$f"; } | text "$app.stored"
        break
      done
    fi
  fi
done
for f in /etc/systemd/system/"$app"@*.service; do
  unit=${f##*/}
  case " $slots " in *" $unit "*) continue ;; esac
  if [ -f "$f" ] && systemctl is-active --quiet "$unit"; then fact "$app.unlisted" "$unit"; fi
done
set --
for f in "$records"/manifests/*; do
  if is_plain "$f"; then set -- "$@" "$f"; fi
done
if [ $# -gt 0 ]; then
  b2sum -l "$bits" -- "$@" | while read -r digest f; do
    fact "$app.manifest" "$digest ${f##*/}"
  done
fi
fact "$app.group" "$(id -gn "$user" 2>/dev/null || true)"
if [ "$replaces" ]; then
  systemctl show "$replaces" -p LoadState,ActiveState |
    while IFS='=' read -r k v; do fact "$app.replaces.$k" "$v"; done
  # systemd keeps the property UnitFileState until it is reloaded; this looks at the disk.
  enabled=$(systemctl is-enabled "$replaces" 2>/dev/null || true)
  fact "$app.replaces.UnitFileState" "${enabled%%[!a-z-]*}"
fi
if [ -e "/run/systemd/system/changeover-start.$app.service" ]; then fact "$app.rehearsal" there; fi
if [ -e "$environment_file" ]; then fact "$app.environment_file" there; fi
