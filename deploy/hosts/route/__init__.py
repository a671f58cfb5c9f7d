"""By which route a host is reached, and in turns: jump hosts, proxies, logins.

logins (turns at a machine) -> routes (shared jump hosts); flight (one login for all who want it),
proxy (a program in place of a socket), tunnels (AWS's own programs), failures
direct (to an address of the wanted family, from an own one), open_files (how many at once)
"""
