# shellcheck shell=sh
# The addresses that a port is listened on, each as `address`; `-` for all. $1: the port.
for address in $(ss -ltnH "sport = :$1" | awk '{ print $4 }' | tr -d '[]' | tr '*' '-' | sort -u); do
  fact address "${address%:*}"
done
