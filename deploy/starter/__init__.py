"""Writes the first files of a project from what a target group already has.

fleet         the group's targets as instances, and tags that select exactly these
draft         fabric.yaml as text: pure
console_keys  host keys that instances printed to their consoles: pure
host_keys     the known_hosts lines of all hosts, and those that a person has to compare
previous_unit the unit that serves now, and what of it the first release needs: pure
front         a program in front of it on its own host, such as nginx
adoption      asks the hosts for both
files         writes files, and overwrites none

Messages:
    When: The first files are made
    Fleet: Not touched.
    Do: Move away the file that is named, or choose another folder; then type `changeover init
        --target-group web-prod` again.
"""
