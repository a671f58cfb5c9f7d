# shellcheck shell=sh
# Functions that say what runs: a process's release, namespace and cgroup, and who listens on ports.
# They follow `hex`.

# running_release PID APP: the release that a process was started from, as the kernel knows it: the
# folder that is mounted where the unit mounts it. The process can change its environment, its name
# and, below its own file systems, every file; not its mounts, unless it may make a user namespace.
running_release() {
  at=$(readlink -f "/srv/$2/current") && [ -n "$at" ] || return 0
  awk -v at="$at" '$5 == at { n = 1 } END { exit !n }' "/proc/$1/mountinfo" 2>/dev/null || return 0
  for release in "/srv/$2"/releases/*/; do
    release=${release%/}
    # shellcheck disable=SC3013 # every sh that we meet knows -ef
    if [ ! -L "$release" ] && [ "$release" -ef "/proc/$1/root$at" ]; then echo "${release##*/}"; fi
  done
}

# own_namespace PID: whether a process has a user namespace of its own.
own_namespace() {
  # shellcheck disable=SC3013
  if [ "/proc/$1/ns/user" -ef /proc/1/ns/user ]; then echo no; else echo yes; fi
}

# find_cgroup PID: sets `cgroup`, as systemd names it.
find_cgroup() {
  cgroup=''
  while IFS= read -r line; do
    case $line in
      0::*) cgroup=${line#0::} ;;
      *) case ${line#*:} in name=systemd:*) cgroup=${line#*:name=systemd:} ;; esac ;;
    esac
    [ -z "$cgroup" ] || return 0
  done < "/proc/$1/cgroup"
}

# listeners PORT KEY …: `<key>.listener`: pid, name in hex and cgroup of each process that listens on
# a port. The cgroup is relative to systemd's own root, which in a container is not the hierarchy's.
#
# A port at a time: ss prints names as they are, line breaks too, so that no other part of its
# output can be believed to be of one process.
listeners() {
  find_cgroup 1
  top=${cgroup%/init.scope}
  while [ $# -gt 0 ]; do
    for pid in $(ss -ltnpH "sport = :$1" | grep -o ',pid=[0-9]*,fd=' | tr -cd '0-9\n' | sort -u); do
      find_hex "/proc/$pid/comm" 64
      find_cgroup "$pid"
      # shellcheck disable=SC2154 # hex: of find_hex
      fact "$2.listener" "$pid $hex ${cgroup#"$top"}"
    done
    shift 2
  done
}
