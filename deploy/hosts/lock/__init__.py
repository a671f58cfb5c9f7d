"""One deploy at a time: a lock on a majority of an environment's hosts.

lease -> claim (takes it), heartbeat (keeps it), watch (other holders) -> view -> many_hosts
progress: how far its holder's run is, for others to see
"""
