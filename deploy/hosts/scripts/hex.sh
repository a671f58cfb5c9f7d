# shellcheck shell=sh
# Functions that set `hex`, with one process each: foreign text is never echoed.
# shellcheck disable=SC2034 # the program that follows reads it

# find_hex FILE BYTES: sets `hex` to the file's first bytes in hexadecimal.
find_hex() {
  hex=''
  for byte in $(od -An -v -tx1 -N "$2" "$1" 2>/dev/null); do hex=$hex$byte; done
}

# find_text_hex TEXT BYTES: sets `hex` to the text's first bytes in hexadecimal, a newline at its end.
find_text_hex() {
  hex=''
  [ "$1" ] || return 0
  for byte in $(
    od -An -v -tx1 -N "$2" <<END_OF_TEXT
$1
END_OF_TEXT
  ); do hex=$hex$byte; done
}
