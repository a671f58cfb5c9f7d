# shellcheck shell=sh
# Tries units whose texts come from stdin; between `stage_units` and `keep_units`.
# $1: app; then the bytes of each text.
#
# Exit code 81 (SANDBOX_REFUSED) prints the trial's result, systemd's words, and the one directive
# without which the trial works, if there is one.
set -eu
units=/run/systemd/system name=changeover-rehearsal.$1 n=0
shift
rm -f "$units/$name".*
try() {
  n=$((n + 1))
  # shellcheck disable=SC2154 # d: the folder of `stage_units`
  unit=$name.${d##*.}.$n.service
  cat > "$units/$unit"
  systemctl --no-ask-password start "$unit" > /dev/null 2>&1
}
forget() {
  systemctl reset-failed "$unit" 2>/dev/null || true
  rm -f "$units/$unit"
}
for bytes; do
  head -c "$bytes" > "$d/trial"
  if ! try < "$d/trial"; then
    systemctl show "$unit" -p Result -p ExecMainCode -p ExecMainStatus
    journalctl --sync 2>/dev/null || true
    said=$(journalctl -q -u "$unit" -o cat --no-pager 2>/dev/null | grep Failed) || true
    { echo "$said" | grep -m 1 '^Failed to execute ' || echo "$said" | head -n 1; } |
      cut -c 1-300 | sed 's/^/Words=/'
    forget
    fixed='^(Description|Type|TimeoutStartSec|ExecStart|StandardInput|StandardInputData|User|Group)='
    # shellcheck disable=SC2013 # a directive is one word
    for key in $(grep '^[A-Z]' "$d/trial" | grep -E -v "$fixed" | cut -d = -f 1 | sort -u); do
      grep -v "^$key=" "$d/trial" > "$d/without"
      if try < "$d/without"; then
        echo "Directive=$key"
        forget
        break
      fi
      forget
    done
    drop
    exit 81
  fi
  rm -f "$units/$unit"
done
