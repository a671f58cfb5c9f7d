# shellcheck shell=sh
# Which programs a host lacks, by their numbers from 0 on. Arguments: absolute paths, or names that
# are looked up where systemd looks (systemd.exec(5), $PATH).
n=0
for wanted; do
  found=''
  case $wanted in
    /*) if [ -f "$wanted" ] && [ -x "$wanted" ]; then found=yes; fi ;;
    *)
      for folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /sbin /bin; do
        if [ -f "$folder/$wanted" ] && [ -x "$folder/$wanted" ]; then found=yes; fi
      done
      ;;
  esac
  [ -n "$found" ] || fact missing "$n"
  n=$((n + 1))
done
