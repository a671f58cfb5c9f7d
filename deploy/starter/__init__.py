"""The first files of a project, made from what a target group already has.

fleet         the group's targets, as instances, and what selects exactly these
draft         fabric.yaml as text: pure
console_keys  host keys that instances printed to their consoles: pure
host_keys     the known_hosts lines of all hosts, and those that a person has to compare
adoption      which unit serves on the hosts now
files         what is there already, and what is written

Messages:
    When: The first files are made
    Fleet: Not touched.
    Do: Move away the file that is named, or choose another folder; then type `changeover init
        --target-group web-prod` again.
"""
