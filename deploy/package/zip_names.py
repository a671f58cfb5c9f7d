"""Decodes the names in a zip. Pure."""

from __future__ import annotations

import struct
import urllib.parse
import zlib
from typing import TYPE_CHECKING

from deploy.errors import BadInput
from deploy.package.entries import shown

if TYPE_CHECKING:
    import zipfile

_IS_UTF8 = 0x800  # general purpose bit 11 (APPNOTE.TXT 4.4.4)
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field: version, CRC-32 of the name, the name in UTF-8
_HEAD = struct.Struct("<HH")
_PATH_HEAD = struct.Struct("<BI")


def name_of(info: zipfile.ZipInfo, package: str) -> str:
    """Return an entry's whole name; BadInput where it is not known which characters it has.

    Without the flag for UTF-8, APPNOTE.TXT has code page 437, which hardly any packer writes: zip
    under the locale C writes UTF-8, Windows its own code page. Bytes that are UTF-8 are taken as
    that, as unzip, 7-Zip and libarchive do; others have no meaning that can be known.

    zipfile's orig_filename is read, since zipfile cuts a name at its first NUL.
    """
    if info.flag_bits & _IS_UTF8:
        return info.orig_filename
    raw = info.orig_filename.encode("cp437")  # as zipfile decoded it: each byte is a character
    try:
        return (_unicode_path(info.extra, raw) or raw).decode()
    except UnicodeDecodeError:
        raise BadInput(
            f"package {package}: the name {shown(info.orig_filename)} is not written as UTF-8, so "
            "its letters cannot be known; rename that file, or pack with a tool that writes UTF-8 "
            "(zip, 7-Zip with -mcu=on, .NET's ZipFile)"
        ) from None


def unescaped(name: str, package: str) -> str:
    """Return a .nupkg's name as the file has it: NuGet escapes the bytes of its UTF-8 as in a URL.

    BadInput where they are none, since another name would be made of them.
    """
    try:
        return urllib.parse.unquote(name, errors="strict")
    except UnicodeDecodeError:
        raise BadInput(
            f"package {package}: the name {shown(name)} holds escapes that are no UTF-8, so its "
            "letters cannot be known; rename that file"
        ) from None


def _unicode_path(extra: bytes, raw: bytes) -> bytes:
    """The name that Info-ZIP's extra field gives; empty where there is none for these bytes."""
    while len(extra) >= _HEAD.size:
        kind, size = _HEAD.unpack_from(extra)
        value, extra = extra[_HEAD.size : _HEAD.size + size], extra[_HEAD.size + size :]
        if kind == _UNICODE_PATH and len(value) == size > _PATH_HEAD.size:
            version, checksum = _PATH_HEAD.unpack_from(value)
            if version == 1 and checksum == zlib.crc32(raw):
                return value[_PATH_HEAD.size :]
    return b""
