# shellcheck shell=sh
# Writes beside the lock how far its holder's run is, if the lock is this token's, readable by root
# alone: it may say what failed. A failure here is not one of the heartbeat, which goes on.
# $1: file; $2: token; $3: the line.
if is_held_by "$1" "$2"; then
  (
    umask 077
    printf '%s\n' "$3" > "${1%.lock}.progress.new" \
      && mv -T "${1%.lock}.progress.new" "${1%.lock}.progress"
  ) 2>/dev/null || :
fi
