# shellcheck shell=sh
# What the unit that an app replaces sets, as a text with the key `<app>.previous`: a directive a
# line, with its value. $1: app; $2: unit.
#
# No value that may be a secret leaves the host: of variables it is their names, of commands the
# program alone, and of directives that are not listed here nothing but the name. Lines are read as
# systemd reads them: continued by a backslash, and with an empty value where a list begins anew.
{
  printf 'DropInPaths %s\n' "$(systemctl show "$2" -p DropInPaths --value 2>/dev/null)"
  systemctl cat --no-pager "$2" 2>/dev/null | awk '
    function plain(text) {
      gsub(/^[ \t\r]+/, "", text)
      gsub(/[ \t\r]+$/, "", text)
      return text
    }
    function variables(text,   i, c, quoted, name, is_name) {
      quoted = ""; name = ""; is_name = 1
      text = text " "
      for (i = 1; i <= length(text); i++) {
        c = substr(text, i, 1)
        if (c == "\\") { i++; if (is_name) name = name "?"; continue }
        if (quoted != "" && c == quoted) { quoted = ""; continue }
        if (quoted == "" && (c == "\"" || c == "\047")) { quoted = c; continue }
        if (quoted == "" && (c == " " || c == "\t")) {
          if (!is_name && name ~ /^[A-Za-z_][A-Za-z0-9_]*$/) print "Environment " name
          name = ""; is_name = 1; continue
        }
        if (is_name && c == "=") { is_name = 0; continue }
        if (is_name) name = name c
      }
    }
    function assigned(name, value) {
      if (name !~ /^[A-Za-z]+$/) return
      if (value == "") { print name; return }
      if (name == "Environment") { variables(value); return }
      if (name ~ /^Exec/) {
        sub(/^[-@:+!|]+/, "", value)
        sub(/[ \t].*/, "", value)
        print name " " value
        return
      }
      if (name ~ shown) { print name " " value; return }
      print name " ?"
    }
    BEGIN {
      shown = "^(User|Group|SupplementaryGroups|DynamicUser|EnvironmentFile|PassEnvironment|"
      shown = shown "UMask|Nice|OOMScoreAdjust|TasksMax|AmbientCapabilities|PAMName|Slice|"
      shown = shown "Requires|BindsTo|RequiresMountsFor|OnFailure|"
      shown = shown "Limit[A-Z]+|Memory[A-Za-z]+|CPU[A-Za-z]+|IO[A-Za-z]+|[A-Za-z]+Directory|"
      shown = shown "[A-Za-z]+Paths)$"
    }
    /^[ \t]*[#;]/ { next }
    {
      line = held $0; held = ""
      sub(/\r$/, "", line)
    }
    match(line, /\\+$/) && RLENGTH % 2 == 1 { held = substr(line, 1, length(line) - 1) " "; next }
    line ~ /^[ \t]*\[.*\][ \t]*$/ { section = plain(line); next }
    index(line, "=") {
      name = plain(substr(line, 1, index(line, "=") - 1))
      value = plain(substr(line, index(line, "=") + 1))
      is_wanted = name ~ /^(Requires|BindsTo|RequiresMountsFor|OnFailure)$/
      if (section == "[Service]" || (section == "[Unit]" && is_wanted)) assigned(name, value)
    }'
} | text "$1.previous"
