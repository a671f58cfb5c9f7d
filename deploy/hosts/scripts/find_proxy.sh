# shellcheck shell=sh
# Who listens on a port and has connections to others: a proxy. $1: the port; $2: how many looks;
# then the others. It follows `processes`.
#
# A connection may last only for a request, so that many looks are needed, of which only one that
# shows a listener is enough: others may have connections too. Between them the ends of connections
# are watched. Those show no process, so the looks are what can name one.
#
# A rule of the kernel may pass a port's requests on, whoever listens: `forwarded` is the port that
# they go to, by what iptables and nft print. To a container's address they go to no app of ours.
port=$1 looks=$2 filter=''
shift 2
for each in "$@"; do
  filter="$filter${filter:+ or }dport = :$each"
done
listeners "$port" port
rules=$({ iptables-save -t nat; nft list ruleset; } 2>/dev/null)
for each in "$@"; do
  led="dport ([{]([^}]*[ ,])?)?$port([^0-9].*)?(--to-ports |redirect to :|127[.][0-9.]+:)$each"
  if printf '%s\n' "$rules" | grep -q -E "$led([^0-9]|\$)"; then fact forwarded "$each"; fi
done
[ -n "$(ss -ltnH "sport = :$port")" ] || exit 0
process_ids() { grep -o ',pid=[0-9]*,fd=' | tr -cd '0-9\n' | sort -u; }
own=" $(ss -ltnpH "sport = :$port" | process_ids | tr '\n' ' ')"
known=' ' look=0 ended=0
while [ "$look" -lt "$looks" ]; do
  for pid in $(ss -tnpH state connected "( $filter )" | process_ids); do
    case $known in *" $pid "*) ;; *) known="$known$pid " && fact client "$pid" ;; esac
    case $own in *" $pid "*) exit 0 ;; esac
  done
  seen=$(
    {
      timeout 0.25 stdbuf -oL ss -tnHE "( $filter )" 2>/dev/null
      code=$?
      # 124: the time is up; 141: head has seen enough.
      case $code in 124 | 141) ;; *) echo unwatched ;; esac
    } | head -n 100
  )
  case $seen in
    *unwatched*) fact unwatched yes && sleep 0.1 ;;
    *UNCONN*) ended=$((ended + 1)) ;;
  esac
  look=$((look + 1))
done
fact ended "$ended"
