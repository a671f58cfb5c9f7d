# shellcheck shell=sh
# Names of variables in an environment file, which systemd reads: `<app>.overridden`, those that the
# unit sets too, since the file's value wins (systemd.exec(5), EnvironmentFile=), and `<app>.exported`,
# those after `export`, which systemd ignores. No value is printed.
# $1: app; $2: the file; $3: the slot's port, where there is one slot; then names that the unit sets.
#
# Lines are read as systemd reads them: a value goes on after a backslash, and up to its closing quote.
app=$1 file=$2 port=$3
shift 3
if [ -f "$file" ]; then
  awk -v names="$*" -v port="$port" '
    function closes(text,   i, c) {
      for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "\\" && quote == "\"") i++
        else if (c == quote) return 1
      }
      return 0
    }
    function is_same(name, value) {
      gsub(/["\047 \t\r]/, "", value)
      if (port == "") return 0
      if (name == "PORT") return value == port
      return name == "ASPNETCORE_URLS" && value ~ (":" port "/?$")
    }
    BEGIN { count = split(names, each, " "); for (i = 1; i <= count; i++) set[each[i]] = 1 }
    quote != "" { if (closes($0)) quote = ""; next }
    goes_on { goes_on = /\\$/; next }
    /^[ \t]*[#;]/ || !/=/ { next }
    {
      name = substr($0, 1, index($0, "=") - 1)
      value = substr($0, index($0, "=") + 1)
      gsub(/^[ \t]+|[ \t]+$/, "", name)
      sub(/^[ \t]+/, "", value)
      if (name ~ /^export[ \t]+[A-Za-z_][A-Za-z0-9_]*$/) {
        sub(/^export[ \t]+/, "", name)
        print "exported " name
      } else if (name in set && !is_same(name, value)) print "overridden " name
      quote = substr(value, 1, 1)
      if (quote != "\"" && quote != "\047") quote = ""
      else if (closes(substr(value, 2))) quote = ""
      if (quote == "") goes_on = (value ~ /\\$/)
    }' "$file" 2>/dev/null | sort -u | head -n 50 |
    while read -r kind name; do fact "$app.$kind" "$name"; done
fi
