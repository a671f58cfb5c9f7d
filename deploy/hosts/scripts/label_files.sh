# shellcheck shell=sh
# Defines `label_files`, which lets systemd start what is in a release, where SELinux is on.
#
# What is made below /srv is var_t, which systemd may not execute (selinux-policy, init_t; a service
# then ends with 203/EXEC). The type of programs is bin_t. A rule of the host's own for the folder
# (`semanage fcontext`) wins over that: then all files get its type.
# $1: a release's final path; $2: a list of its executables, each ended by NUL.
label_files() {
  selinuxenabled 2>/dev/null || return 0
  type=$(matchpathcon -n "$1/file" 2>/dev/null | cut -d : -f 3) || type=''
  case $type in
    '' | '<'* | var_t | default_t) xargs -0 -r chcon -t bin_t < "$2" ;;
    *) chcon -R -t "$type" . ;;
  esac || echo "SELinux: the labels of $1 could not be set" >&2
}
