# shellcheck shell=sh
# Ends with the exit code of the command before. On a host that is starting or stopping, where
# systemctl may fail for no fault of what it is given, it is 79 (HOST_UNSETTLED) in place of any
# code that is not one of ours.
rc=$?
case $rc in 0 | 75 | 76 | 77 | 78 | 80 | 81 | 82 | 83 | 84 | 85) exit $rc ;; esac
case $(systemctl is-system-running 2>/dev/null) in
  initializing | starting | stopping | offline | '') exit 79 ;;
esac
exit $rc
