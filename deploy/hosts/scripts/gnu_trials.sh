# shellcheck shell=sh
# Functions that try in the working folder whether this host's programs do what GNU's do. They leave
# their files there.
#
# uutils' mv of 0.0.17 and 0.0.30 cannot (uutils/coreutils#6351; `cannot move …: Not a directory`),
# and b2sum of 0.0.17 has no -l.

# renames: whether mv switches a link to a folder, a file and a folder by rename.
renames() {
  mkdir old new
  echo old > file
  echo new > file.new
  ln -sfnT old link
  ln -sfnT new link.new
  mv -T link.new link && [ "$(readlink link)" = new ] && [ ! -L link.new ] &&
    mv -T file.new file && [ "$(cat file)" = new ] &&
    mv -T new final && [ -d final ] && [ -z "$(ls -A old)" ]
}

# digests: whether b2sum makes digests of 256 bits.
digests() { [ "$(b2sum -l 256 < file | cut -d ' ' -f 1 | wc -c)" = 65 ]; }
