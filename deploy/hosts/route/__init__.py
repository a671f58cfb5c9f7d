"""How a host is reached: directly, through jump hosts, or through a proxy program.

routes: the jump hosts that connections share
logins: few at once at each machine, and again where sshd turned one away
single_flight: one login for several threads
proxy: a program in place of a socket     tunnels: AWS's own programs
direct: without a jump host     failures: why a machine on the way cannot be logged in to
open_files: how many files and connections may be open at once
"""
