# shellcheck shell=sh
# Functions of the scripts about the environment's lock, a file with one line. Tokens are compared
# exactly, at their place, by the shell alone: a token has no place in an argument list.

# is_held_by FILE TOKEN: whether the lock's line starts with this token.
is_held_by() {
  start="{\"token\": \"$2\""
  [ "$(head -c "${#start}" "$1" 2>/dev/null)" = "$start" ]
}

# is_taken FILE: whether something is there, and not an empty file as a crash leaves it.
is_taken() { [ -s "$1" ] || [ -L "$1" ] || { [ -e "$1" ] && [ ! -f "$1" ]; }; }

# write_lock FILE LINE: replaces the lock's line by rename.
write_lock() { printf '%s\n' "$2" > "$1.new" && mv -T "$1.new" "$1"; }

# lock_in_hex FILE BYTES: what is there. What is not a regular file is not opened: reading a FIFO
# would block.
lock_in_hex() {
  if [ ! -L "$1" ] && { [ -f "$1" ] || [ ! -e "$1" ]; }; then
    head -c "$2" "$1" 2>/dev/null
  else
    printf 'not a regular file'
  fi | od -A n -v -t x1 | tr -d ' \n'
}
