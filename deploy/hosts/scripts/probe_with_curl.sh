# shellcheck shell=sh
# Asks a slot on the host itself, and prints the final answer's status code. 000 where no answer came
# with all of its headers in time; nothing without curl.
# $1: URL; $2: the Host header; $3: the most seconds; $4: the most bytes of headers; the rest: other
# headers.
#
# An empty line ends an answer's headers: a code without it is one of half an answer. The body has
# no limit but the time: with --max-filesize curl prints half of a large answer's headers.
if command -v curl >/dev/null; then
  url=$1 host=$2 seconds=$3 bytes=$4
  shift 4
  for header do
    shift
    set -- "$@" --header "$header"
  done
  # As AWS, it verifies no certificate. Within TLS it would agree on HTTP/2 by itself.
  curl --silent --http1.1 --insecure --globoff --noproxy '*' --output /dev/null --dump-header - --max-time "$seconds" \
    --header "Host: $host" "$@" "$url" 2>/dev/null | head -c "$bytes" | tr -d '\r' | awk '
      /^HTTP\// { code = $2 }
      /^$/ { if (code == 101 || (code >= 200 && code <= 599)) final = code }
      END { print final ? final : "000" }'
fi
