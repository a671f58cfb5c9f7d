# shellcheck shell=sh
# Facts about the host itself. Arguments: the programs that a host needs.
init=''
read -r init < /proc/1/comm
fact init "$init"
version=$(systemctl --version 2>/dev/null)
version=${version#* }
fact systemd "${version%%[[:space:]]*}"
fact machine "$(uname -m)"
# A kernel without IPv6 has no such file; where IPv6 is only switched off, `[::]` takes IPv4.
if [ -e /proc/net/if_inet6 ]; then fact ipv6 yes; fi
fact selinux "$(getenforce 2>/dev/null || true)"
folder=/srv
[ -d "$folder" ] || folder=/
free=$(df -k --output=avail "$folder")
fact free_kb "${free##*[!0-9]}"
# A file system without a fixed number of files has 0 or `-` of them.
files=$(df --output=itotal,iavail "$folder" 2>/dev/null | tail -n 1)
case ${files%"${files##*[!0-9]}"} in *[1-9]*) fact free_files "${files##*[!0-9]}" ;; esac
# The kernel answers the first read of such a file alone, and `read` reads a byte at a time.
range=$(cat /proc/sys/net/ipv4/ip_local_port_range 2>/dev/null) || range=''
[ -z "$range" ] || fact given_ports "${range%%[!0-9]*}-${range##*[!0-9]}"
fact reserved_ports "$(cat /proc/sys/net/ipv4/ip_local_reserved_ports 2>/dev/null)"
while read -r key value _; do
  if [ "$key" = MemAvailable: ]; then
    fact free_memory_kb "$value"
    break
  fi
done < /proc/meminfo
for tool; do
  if command -v "$tool" >/dev/null 2>&1; then fact tool "$tool"; fi
done
