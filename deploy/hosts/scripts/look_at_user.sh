# shellcheck shell=sh
# What the host knows of a user, as `<app>.own.<key>=<value in hexadecimal>`, but for the number of
# lines of `sudo -l` that allow something. It follows `hex`.
# $1: app; $2: user; $3: the most bytes of a value.
show() {
  find_text_hex "$2" "$most"
  # shellcheck disable=SC2154 # hex: of find_text_hex
  echo "$app.own.$1=$hex"
}
app=$1 most=$3
show passwd "$(getent passwd "$2" 2>/dev/null)"
show group "$(getent group "$2" 2>/dev/null)"
show groups "$(id -Gn "$2" 2>/dev/null)"
allowed=$(
  LC_ALL=C
  export LC_ALL
  timeout 10 sudo -n -l -U "$2" 2>/dev/null | grep -c ' may run the foll'
)
echo "$app.own.sudo=$allowed"
