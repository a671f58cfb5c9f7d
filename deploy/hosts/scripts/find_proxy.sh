# shellcheck shell=sh
# Who listens on a port and has connections to others: a proxy. $1: the port; then the others.
# A connection may be short, so that many looks are needed. It follows `processes`.
port=$1 filter=''
shift
for each in "$@"; do
  filter="$filter${filter:+ or }dport = :$each"
done
listeners "$port" port
[ -n "$(ss -ltnH "sport = :$port")" ] || exit 0
look=0
while [ "$look" -lt 20 ]; do
  pids=$(ss -tnpH state established "( $filter )" | grep -o ',pid=[0-9]*,fd=' | tr -cd '0-9\n' | sort -u)
  for pid in $pids; do
    fact client "$pid"
  done
  [ -z "$pids" ] || break
  sleep 0.1
  look=$((look + 1))
done
