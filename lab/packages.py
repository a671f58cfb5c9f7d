"""Packages of the sample service, as a build would leave them behind."""

from __future__ import annotations

import importlib.util
import io
import json
import random
import shutil
import tarfile
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.oid import NameOID

Form = Literal["zip", "nupkg", "tar.gz", "folder"]

SAMPLES = Path(__file__).with_name("sample")
LIBRARIES = ("h2", "hpack", "hyperframe")
"""What the sample for HTTP/2 needs, pure Python each: the hosts have none of them."""
HTTP2_BEHAVIOURS = frozenset({"sick", "grpc_code"})
BEHAVIOURS = frozenset(
    {
        "start_seconds",
        "sick",
        "crash_at_once",
        "crash_after_seconds",
        "answer_500",
        "refused_host",
        "never_listen",
        "drop_in_flight",
        "notify",
        "trickle_seconds",
        "listen_port",
        "health_port",
        "health_tls",
        "tls",
    }
)
PADDING_FILES = 10
WINDOWS_ARCHIVE = 0x20  # the attribute of an ordinary file; the upper half, Unix modes, is 0
WHEN = (2026, 1, 2, 3, 4, 6)
"""Every file's time: the same call makes the same package, byte for byte."""


def build(
    folder: Path,
    name: str,
    version: str,
    *,
    form: Form = "zip",
    size_mb: float = 0,
    windows: bool = False,
    http2: bool = False,
    **behaviour: Any,
) -> Path:
    """Write `<folder>/<name>.<version>.<form>` and return its path; what was there is replaced.

    `size_mb` adds that much data that does not compress, in megabytes; `windows` writes a zip as
    Windows does, without modes and with backslashes; `http2` takes the sample that speaks HTTP/2
    alone. The rest is how the service behaves, by the keys of BEHAVIOURS (see sample/web) or
    HTTP2_BEHAVIOURS (see sample/http2). Raises ValueError for a behaviour it does not know.
    """
    behaviours = HTTP2_BEHAVIOURS if http2 else BEHAVIOURS
    unknown = set(behaviour) - behaviours
    if unknown:
        raise ValueError(f"unknown behaviour {sorted(unknown)}; known: {sorted(behaviours)}")
    folder.mkdir(parents=True, exist_ok=True)
    files = _contents(name, version, size_mb, behaviour, "http2" if http2 else "web")
    path = folder / (f"{name}.{version}" if form == "folder" else f"{name}.{version}.{form}")
    if form == "folder":
        _write_folder(path, name, files)
    elif form == "tar.gz":
        _write_tar(path, name, files)
    else:
        if form == "nupkg":
            files |= _nuget_files(name, version)
        _write_zip(path, name, files, windows=windows)
    return path


def _contents(
    name: str, version: str, size_mb: float, behaviour: dict[str, Any], sample: str
) -> dict[str, bytes]:
    files = {
        name: (SAMPLES / sample).read_bytes(),
        "version.txt": f"{version}\n".encode(),
        "behaviour.json": (json.dumps(behaviour, sort_keys=True) + "\n").encode(),
        "wwwroot/index.html": f"<!doctype html><title>{name} {version}</title>\n".encode(),
        "wwwroot/css/site.css": b"body { margin: 2em; }\n",
    }
    if sample == "http2":
        files |= _libraries()
    if behaviour.get("health_tls") or behaviour.get("tls"):
        files["tls.pem"] = certificate()
    size = int(size_mb * 1_000_000 / PADDING_FILES)
    if size:
        noise = random.Random(f"{name} {version}")  # noqa: S311  # repeatable, not secret
        for number in range(PADDING_FILES):
            files[f"lib/part{number}.bin"] = noise.randbytes(size)
    return files


def _libraries() -> dict[str, bytes]:
    """The modules of LIBRARIES, as they are installed here."""
    specs = [importlib.util.find_spec(name) for name in LIBRARIES]
    folders = [Path(spec.origin).parent for spec in specs if spec and spec.origin]
    return {
        f"lib/{path.parent.name}/{path.name}": path.read_bytes()
        for folder in folders
        for path in sorted(folder.glob("*.py"))
    }


def certificate() -> bytes:
    """A key and a certificate that it has signed itself, always the same ones; no secret."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sample")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2026, 1, 2, tzinfo=UTC))
        .not_valid_after(datetime(2056, 1, 2, tzinfo=UTC))
        .sign(key, None)
    )
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ) + made.public_bytes(serialization.Encoding.PEM)


def _nuget_files(name: str, version: str) -> dict[str, bytes]:
    """What every .nupkg has beside its content."""
    return {
        f"{name}.nuspec": (
            '<?xml version="1.0"?><package><metadata>'
            f"<id>{name}</id><version>{version}</version>"
            "</metadata></package>\n"
        ).encode(),
        "_rels/.rels": b'<?xml version="1.0"?><Relationships/>\n',
        "[Content_Types].xml": b'<?xml version="1.0"?><Types/>\n',
    }


def _mode(path: str, name: str) -> int:
    return 0o755 if path == name else 0o644


def _write_zip(path: Path, name: str, files: dict[str, bytes], *, windows: bool) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for inside, data in files.items():
            entry = zipfile.ZipInfo(inside.replace("/", "\\") if windows else inside, WHEN)
            entry.create_system = 0 if windows else 3
            unix = (0o100000 | _mode(inside, name)) << 16
            entry.external_attr = WINDOWS_ARCHIVE if windows else unix
            is_noise = inside.endswith(".bin")
            entry.compress_type = zipfile.ZIP_STORED if is_noise else zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)


def _write_tar(path: Path, name: str, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz", compresslevel=1) as archive:
        for inside, data in files.items():
            entry = tarfile.TarInfo(inside)
            entry.size = len(data)
            entry.mode = _mode(inside, name)
            archive.addfile(entry, io.BytesIO(data))


def _write_folder(path: Path, name: str, files: dict[str, bytes]) -> None:
    if path.exists():
        shutil.rmtree(path)
    for inside, data in files.items():
        target = path / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        target.chmod(_mode(inside, name))
