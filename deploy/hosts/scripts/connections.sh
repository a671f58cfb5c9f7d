# shellcheck shell=sh
# The established connections to ports, with the kernel's figures on each.
# $1: seconds to watch them before that, or 0: each connection that ends meanwhile, however short it
# was, is printed as UNCONN, at most 4,000. ss prints those when its buffer is full, so it gets one
# of a line. Where it cannot watch, that is printed. Then the ports.
seconds=$1 filter=''
shift
for each in "$@"; do
  filter="$filter${filter:+ or }sport = :$each"
done
if [ "$seconds" != 0 ]; then
  {
    timeout "$seconds" stdbuf -oL ss -tinHE "( $filter )" 2>/dev/null
    code=$?
    # 124: the time is up; 141: head has seen enough.
    case $code in 124 | 141) ;; *) echo "UNWATCHED $code" ;; esac
  } | head -n 8000
fi
ss -tinH state established "( $filter )"
