"""A package from a build: verified, read with care, and made into what hosts are sent.

signatures -> verification -> readers (zip), tar_stream, folder -> entries -> opening
opening -> manifest, archive -> delta, for each host

Messages:
    When: A package is opened
    Fleet: Nothing was changed.
    Do: Build the package again, or name another one with `--package`. `inv check --env prod` opens
        it as a deploy does.
"""
