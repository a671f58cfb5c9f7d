"""The checks of `inv check`: what a deploy needs, all in one run, each finding with its remedy.

finding       a finding, and the list that all checks add to
permissions   what the credentials are allowed, by trying
listeners     where the target groups' load balancers listen
group_advice  target groups: what they are, and what their settings mean for a deploy
host_look     reads and tries each host
host_findings findings about hosts, one line for the same on many
units         the units that a deploy would install, judged by the hosts' own systemd
"""
