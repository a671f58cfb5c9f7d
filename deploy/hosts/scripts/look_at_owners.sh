# shellcheck shell=sh
# Who could change what root reads: `<app>.own.paths` are the paths that matter, as lstat(2) sees
# them and in hexadecimal; of what lies in the app's folders, those that are odd in owner, mode,
# links or type. `<app>.own.busy` are the uids of processes that work below a folder that is not
# root's. $1: app; $2: the folder that stands for `/`; $3: the most bytes; $4: find's format; $5: the
# folder of locks; then the paths.
(
  app=$1 top=$2 most=$3 format=$4 locks=$5
  shift 5
  cd "${top:-/}" || exit 0
  set -f
  base=./srv/$app
  # A link of root's may lead elsewhere: then each folder on that way counts.
  real=$(readlink -f "$base" || readlink -f ./srv)
  real=${real#"$top"} way=.
  IFS=/
  for part in $real; do
    [ "$part" ] || continue
    way=$way/$part
    set -- "$@" "$way"
  done
  unset IFS
  paths=$(
    {
      find -P "$@" -maxdepth 0 -printf "$format"
      find -P "$base/releases" "$base/slots" "$base/records" "$locks" "$base/records/units" \
        "$base/records/manifests" "$base/records/bad" -mindepth 1 -maxdepth 1 \
        \( ! -uid 0 -o ! -type l -perm /022 -o -type f -links +1 \
        -o -path "$base/releases/*" ! -type d \
        -o -path "$base/slots/*" ! -type l \
        -o -path "$base/records/*/*" ! -type f \
        -o ! -path "$base/releases/*" ! -path "$base/slots/*" ! -type d ! -type f \) \
        -printf "$format"
    } 2>/dev/null | od -An -v -tx1 -N "$most" | tr -d ' \n'
  )
  echo "$app.own.paths=$paths"
  if [ -n "$(find -P "$base" -maxdepth 2 ! -uid 0 -print -quit 2>/dev/null)" ]; then
    set +f
    busy=$(
      find /proc/[0-9]*/cwd /proc/[0-9]*/fd -maxdepth 1 ! -uid 0 \
        \( -lname "$top$real" -o -lname "$top$real/*" \) -printf '%U ' 2>/dev/null | head -c 4096
    )
    echo "$app.own.busy=$busy"
  fi
)
