"""The user's ssh configuration, known_hosts files and keys, read as OpenSSH reads them.

options (of one name): from program (`ssh -G`), or from reader -> lines, match, tokens
answers: what the values mean     instance: options for an EC2 instance
identities: the keys that a login offers -> private_keys, agents
known_lines, host_certificates: which host keys are trusted
"""
