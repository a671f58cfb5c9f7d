"""A package from a build: verified, read with care, and made into what hosts are sent.

signatures -> verification -> readers (zip), tar_stream, folder -> entries -> opening
opening -> manifest, archive -> delta, for each host
"""
