# shellcheck shell=sh
# Whether a program can be executed here, without a line of its own code. $1: the program, as in
# ExecStart=. What speaks against it is said in a line that begins with "Failed".
#
# glibc's loader lists what a program needs (ld.so --list); it is the loader that is run. Of a static
# program, and of one with another loader, only the mode is looked at.
path=$PATH PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
say() {
  echo "Failed to execute $program: $1" >&2
  exit 1
}
executable() {
  [ -e "$1" ] || say "${2}there is no $1"
  [ -f "$1" ] || say "${2}$1 is no file"
  [ -x "$1" ] || say "${2}$1 may not be executed: by its mode, or by a mount with noexec"
}
trace() {
  file=$(readlink -f "$1")
  loader=$(head -c 8192 "$file" | tr -c '[:print:]' '\n' |
    grep -m 1 -x -E '/[^ ]*/(ld-linux[^/ ]*|ld64[.]so[.][0-9])') || return 0
  [ -x "$loader" ] || say "its loader $loader is not here"
  code=0
  shown=$("$loader" --list "$file" < /dev/null 2>&1) || code=$?
  lacks=$(echo "$shown" | grep -m 1 -E 'not found|error while loading' | tr -s '\t ' ' ') || true
  [ -z "$lacks" ] || say "${lacks# }"
  [ "$code" = 0 ] || say "its loader ends with $code"
}
program=$1
case $program in
  */*) ;;
  *)
    found=$(command -v "$program") || say 'no program of this name is on the host'
    program=$found
    ;;
esac
executable "$program" ''
case $(head -c 4 "$program" | tr -cd '[:print:]') in
  '#!'*)
    line=$(head -n 1 "$program")
    case $line in *"$(printf '\r')") say 'its first line ends with a carriage return' ;; esac
    # shellcheck disable=SC2086 # words
    set -- ${line#'#!'}
    executable "$1" 'its first line: '
    if [ "${1##*/}" = env ]; then
      case $2 in
        -*S* | --split-string*) ;;
        *) [ $# -le 2 ] || say "its first line gives env all that follows as one word; write $1 -S" ;;
      esac
      case $2 in
        -* | *=* | '') ;;
        *)
          (PATH=$path && command -v "$2" > /dev/null) ||
            say "its first line names $2, which is not on the PATH"
          ;;
      esac
    fi
    trace "$1"
    ;;
  ELF*) trace "$program" ;;
  *) say 'it is no program, and has no first line that names one' ;;
esac
