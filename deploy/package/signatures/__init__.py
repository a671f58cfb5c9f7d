"""What a package is verified by: a list of checksums, a signature. Bytes in, values out.

checksums, minisign: each by itself -> verification
"""
