#!/bin/sh
# rolling.sh PACKAGE VERSION < HOSTS: one host after the other, each out of the target group while
# it is switched. A line of HOSTS is an address and an instance id. TARGET is the command that
# takes a target out or in, SSH_OPTIONS what ssh and scp are told.
set -eu
package=$1 version=$2
release=/srv/web/releases/$version

while read -r address instance; do
    # shellcheck disable=SC2086 # the options are words
    on_host() { ssh -n $SSH_OPTIONS "ec2-user@$address" "$@"; }

    # shellcheck disable=SC2086
    scp -q $SSH_OPTIONS "$package" "ec2-user@$address:package.zip"
    on_host "sudo mkdir -p $release && sudo unzip -qo package.zip -d $release"

    $TARGET out "$instance" </dev/null
    on_host "sudo systemctl stop web@5000 &&
        sudo ln -sfn releases/$version /srv/web/current &&
        sudo systemctl start web@5000"
    $TARGET in "$instance" </dev/null
done
