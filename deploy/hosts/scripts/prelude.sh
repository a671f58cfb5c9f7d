# shellcheck shell=sh
# What every script finds: `fact` and `text`. $1: the answer's mark; $2: the most characters of a
# fact; $3: the most bytes of a text.
#
# Each line begins with a newline, so that text printed before it hides no fact.
# fact KEY VALUE prints a value in plain characters, and for any other value that it is unknown.
# text KEY prints its stdin in base64.
#
# Without `secure_path` sudo leaves the SSH user's PATH as it is, which may have no sbin folder.
_mark=$1 _most_characters=$2 _most_bytes=$3
LC_ALL=C; export LC_ALL
PATH=${PATH:+$PATH:}/usr/local/sbin:/usr/sbin:/sbin; export PATH
fact() {
  if [ "${#2}" -gt "$_most_characters" ]; then printf '\n%s %s?\n' "$_mark" "$1"; return; fi
  case $2 in
    *[!A-Za-z0-9\ ._:/@+=,%~\\-]*) printf '\n%s %s?\n' "$_mark" "$1" ;;
    *) printf '\n%s %s=%s\n' "$_mark" "$1" "$2" ;;
  esac
}
text() { printf '\n%s %s:%s\n' "$_mark" "$1" "$(head -c "$_most_bytes" | base64 -w 0)"; }
