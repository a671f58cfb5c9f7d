# shellcheck shell=sh
# The established connections to a port, with the kernel's figures on each. $1: port.
# $2: seconds to watch it before that, or 0: each connection that ends meanwhile, however short it
# was, is printed as UNCONN, at most 4,000. ss prints those when its buffer is full, so it gets one
# of a line. Where it cannot watch, that is printed.
if [ "$2" != 0 ]; then
  {
    timeout "$2" stdbuf -oL ss -tinHE "sport = :$1" 2>/dev/null
    code=$?
    # 124: the time is up; 141: head has seen enough.
    case $code in 124 | 141) ;; *) echo "UNWATCHED $code" ;; esac
  } | head -n 8000
fi
ss -tinH state established "sport = :$1"
