"""What a deploy needs, asked for in one run: every finding with its remedy.

finding       a finding, and the list that all looks add to
permissions   what the credentials are allowed, by asking
group_advice  target groups: what they are, and what their settings mean for a deploy
host_look     each host: reached, read and tried
host_findings what that comes to, with one line for the same on many hosts
units         the units that a deploy would install, judged by the hosts' own systemd
"""
