# shellcheck shell=sh
# The ports of the host itself that the processes which listen on a port have connections to: where a
# proxy passes requests on to. $1: the port; $2: how many looks.
#
# A connection may last only for a request, so that many looks are needed. A port at a time, and no
# name of a process is read: ss prints names as they are, line breaks too.
port=$1 looks=$2
process_ids() { grep -o ',pid=[0-9]*,fd=' | tr -cd '0-9\n' | sort -u; }
others=$(ss -ltnH | awk '{ sub(/.*:/, "", $4); print $4 }' | grep -vx "$port" | sort -nu | head -n 64)
own=" $(ss -ltnpH "sport = :$port" | process_ids | tr '\n' ' ')"
known=' ' look=0
while [ "$look" -lt "$looks" ]; do
  for other in $others; do
    case $known in *" $other "*) continue ;; esac
    for pid in $(
      ss -tnpH state connected "( dport = :$other and ( dst 127.0.0.0/8 or dst [::1] ) )" |
        process_ids
    ); do
      case $own in *" $pid "*) known="$known$other " && fact upstream "$other" && break ;; esac
    done
  done
  sleep 0.05
  look=$((look + 1))
done
