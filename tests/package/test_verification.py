"""A package is opened only if its digest and its signature are right, and as it was then."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from audit import packages
from audit.packages import NAME, SIGNATURE, SUMS, Signer
from deploy.errors import BadInput
from deploy.package import verification
from deploy.package.signatures import minisign
from deploy.plan import candidate
from deploy.settings import load
from deploy.settings.verify import Verify

DATA = packages.package()
HEX = hashlib.sha256(DATA).hexdigest()
OTHER = hashlib.sha256(b"").hexdigest()
SIGNER, STRANGER = Signer.from_seed(1), Signer.from_seed(2)
HAS_MINISIGN = shutil.which("minisign") is not None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the package, and a workspace in it."""
    (tmp_path / NAME).write_bytes(DATA)
    (tmp_path / "workspace").mkdir()
    return tmp_path


def opened(folder: Path, **rules: str) -> candidate.OpenedPackage:
    """The folder's package, verified and opened as by a deploy; nothing may be left behind."""
    settings = packages.environment(folder, Verify(**rules))
    workspace = folder / "workspace"
    try:
        found = candidate.prepare(settings, settings.apps[0], folder / NAME, workspace)
        found.package.archive.unlink()
        return found
    finally:
        assert not [path for path in workspace.iterdir() if path.name.startswith("verified-")]


def refusal(folder: Path, **rules: str) -> str:
    with pytest.raises(BadInput) as refused:
        opened(folder, **rules)
    assert list((folder / "workspace").iterdir()) == []
    return str(refused.value)


ACCEPTED = {
    "text": f"{HEX}  {NAME}\n",
    "binary": f"{HEX} *{NAME}\n",
    "tag": f"SHA256 ({NAME}) = {HEX}\n",
    "upper case": f"{HEX.upper()}  {NAME}\n",
    "CRLF": f"# comment\r\n\r\n{OTHER}  other.zip\r\n{HEX}  {NAME}\r\n",
    "a byte-order mark": f"\ufeff{HEX}  {NAME}\n",
    "./": f"{HEX}  ./{NAME}\n",
    "././/": f"{HEX} *././/{NAME}\n",
    "a path that leads there": f"{HEX}  nowhere/../{NAME}\n",
    "no line break at the end": f"{HEX}  {NAME}",
    "twice the same": f"{HEX}  {NAME}\n{HEX} *./{NAME}\n",
    "other algorithms": f"SHA512 ({NAME}) = {'0' * 128}\nSHA256 ({NAME}) = {HEX}\n",
    "an escaped neighbour": f"\\{OTHER}  a\\\\b\\nc\n{HEX}  {NAME}\n",
    "another folder's": f"{OTHER}  debug/{NAME}\n{HEX}  {NAME}\n",
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED)
def test_a_line_of_sha256sum_lets_its_package_pass(folder: Path, text: str) -> None:
    (folder / SUMS).write_text(text)
    assert opened(folder, sha256sums=SUMS).package.release.version == "1.2.3"


NO_LINE = "is no line of sha256sum"
REFUSED = {
    "empty": ("", "has no line for it"),
    "missing": (f"{HEX}  other.zip\n", "has no line for it"),
    "a longer name": (f"{HEX}  {NAME}.bak\n", "has no line for it"),
    "a shorter name": (f"{HEX}  {NAME[:-1]}\n", "has no line for it"),
    "upper-case name": (f"{HEX}  {NAME.upper()}\n", "has no line for it"),
    "three spaces": (f"{HEX}   {NAME}\n", "has no line for it"),
    "in a folder": (f"{HEX}  dist/{NAME}\n", "is another file"),
    "above": (f"{HEX}  ../{NAME}\n", "is another file"),
    "wrong digest": (f"{OTHER}  {NAME}\n", "Do not deploy it"),
    "contradiction": (f"{HEX}  {NAME}\n{OTHER}  ./{NAME}\n", "lines 1 and 2"),
    "contradiction in tags": (f"SHA256 ({NAME}) = {OTHER}\n{HEX}  {NAME}\n", "lines 1 and 2"),
    "digest alone": (f"{HEX}\n", NO_LINE),
    "one space": (f"{HEX} {NAME}\n", NO_LINE),
    "a tab": (f"{HEX}\t{NAME}\n", NO_LINE),
    "short digest": (f"{HEX[:-1]}  {NAME}\n", NO_LINE),
    "long digest": (f"{HEX}0  {NAME}\n", NO_LINE),
    "cut": (f"{HEX}  other.zip\n{HEX[:30]}", NO_LINE),
    "SHA-512": (f"{HEX}{HEX}  {NAME}\n", NO_LINE),
    "short tag": (f"SHA256 ({NAME}) = {HEX[:-1]}\n", NO_LINE),
    "full-width digits": (f"\uff10{HEX[1:]}  {NAME}\n", NO_LINE),
    "vertical tab": (f"{OTHER}  x\x0b{HEX}  {NAME}\n", "has no line for it"),
    "line separator": (f"{OTHER}  x\u2028{HEX}  {NAME}\n", "has no line for it"),
    "zero-terminated": (f"{HEX}  {NAME}\0", "has no line for it"),
    "bad escape": (f"\\{HEX}  {NAME}\\q\n", NO_LINE),
    "HTML": ("<!DOCTYPE html>\n<title>404</title>\n", NO_LINE),
    "too large": (f"# {'x' * (1 << 20)}\n{HEX}  {NAME}\n", "more than 1,048,576 bytes"),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_another_or_no_digest_is_refused_with_the_files_name(
    folder: Path, text: str, said: str
) -> None:
    (folder / SUMS).write_text(text)
    message = refusal(folder, sha256sums=SUMS)
    assert said in message
    assert SUMS in message


def test_a_wrong_digest_is_reported_with_both_and_its_line(folder: Path) -> None:
    (folder / SUMS).write_text(f"# by the build\n{OTHER}  {NAME}\n")
    message = refusal(folder, sha256sums=SUMS)
    assert NAME in message
    assert f"its SHA-256 is {HEX}" in message
    assert f"line 2 of {folder / SUMS} expects {OTHER}" in message


@pytest.mark.parametrize("data", [b"\xff\xfe" + f"{HEX}  {NAME}\n".encode("utf-16-le"), b"\xe9\n"])
def test_checksums_that_are_no_utf_8_are_refused(folder: Path, data: bytes) -> None:
    (folder / SUMS).write_bytes(data)
    assert "no UTF-8" in refusal(folder, sha256sums=SUMS)


@pytest.mark.parametrize(
    ("setting", "place"),
    [
        ("{package}.sha256", f"{NAME}.sha256"),
        ("sums/{package}.txt", f"sums/{NAME}.txt"),
        ("sums/all", "sums/all"),
    ],
)
def test_checksums_lie_beside_the_package_or_where_the_settings_are(
    folder: Path, setting: str, place: str
) -> None:
    assert "No such file" in refusal(folder, sha256sums=setting)
    (folder / "sums").mkdir()
    (folder / place).write_text(f"{HEX}  {NAME}\n")
    assert opened(folder, sha256sums=setting)


SIGNED = SIGNER.sign(DATA).split(b"\n")
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# The last digit before == has four bits that stand for nothing.
RESPELT = SIGNED[3][:-3] + bytes([ALPHABET[ALPHABET.index(SIGNED[3][-3]) ^ 1]]) + b"=="
CHANGED = b"trusted comment: timestamp:2\tfile:web.1.2.3.zip\thashed"
SIGNATURES = {
    "another key": (STRANGER.sign(DATA), "was made by the key"),
    "another key under this id": (
        Signer(STRANGER.secret, SIGNER.key_id).sign(DATA),
        "does not sign this content",
    ),
    "other bytes": (SIGNER.sign(DATA + b"\0"), "does not sign this content"),
    "another name": (SIGNER.sign(DATA, "file:web.1.2.2.zip"), "does not sign this file name"),
    "no name": (SIGNER.sign(DATA, "release 1.2.3"), "does not sign this file name"),
    "a longer name": (SIGNER.sign(DATA, f"file:{NAME}.bak"), "does not sign this file name"),
    "a changed comment": (
        b"\n".join([*SIGNED[:2], CHANGED, *SIGNED[3:]]),
        "the trusted comment of",
    ),
    "another file's comment": (
        b"\n".join([*SIGNED[:2], *SIGNER.sign(b"", f"file:{NAME}").split(b"\n")[2:]]),
        "the trusted comment of",
    ),
    "no second signature": (b"\n".join(SIGNED[:3]), "has 3 of 4 lines"),
    "empty": (b"", "has 1 of 4 lines"),
    "five lines": (b"\n".join([*SIGNED[:4], b"more"]), "has 5 of 4 lines"),
    "no prefix": (b"\n".join([b"comment", *SIGNED[1:]]), "a comment line is missing"),
    "no base64": (b"\n".join([SIGNED[0], b"?" * 100, *SIGNED[2:]]), "not what minisign writes"),
    "the same bytes, spelt otherwise": (
        b"\n".join([*SIGNED[:3], RESPELT]),
        "not what minisign writes",
    ),
    "too large": (b"\n".join(SIGNED) + b"\n" * 20_000, "more than 16,384 bytes"),
}


@pytest.mark.parametrize(("data", "said"), SIGNATURES.values(), ids=SIGNATURES)
def test_another_signature_is_refused_and_the_right_one_passes(
    folder: Path, data: bytes, said: str
) -> None:
    (folder / SIGNATURE).write_bytes(data)
    message = refusal(folder, minisign=SIGNER.public)
    assert said in message
    assert SIGNATURE in message
    (folder / SIGNATURE).write_bytes(SIGNER.sign(DATA))
    assert opened(folder, minisign=SIGNER.public)


def test_control_the_other_spelling_has_the_same_bytes() -> None:
    assert SIGNED[3] != RESPELT
    assert base64.b64decode(RESPELT) == base64.b64decode(SIGNED[3])


def test_a_legacy_signature_is_refused_with_the_remedy(folder: Path) -> None:
    lines = list(SIGNED)
    lines[1] = base64.b64encode(b"Ed" + SIGNER.key_id + SIGNER.secret.sign(DATA))
    (folder / SIGNATURE).write_bytes(b"\n".join(lines))
    assert "minisign 0.10 or newer and without -l" in refusal(folder, minisign=SIGNER.public)


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_a_signature_with_either_line_end_and_a_key_from_a_file_pass(
    folder: Path, newline: bytes
) -> None:
    (folder / SIGNATURE).write_bytes(newline.join(SIGNED))
    key = newline.join([b"untrusted comment: minisign public key", SIGNER.public.encode(), b""])
    (folder / "minisign.pub").write_bytes(key)
    assert opened(folder, minisign="minisign.pub")


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("missing.pub", "No such file"),
        (SIGNER.public[:-1], "No such file"),
        (SUMS, "holds no minisign public key"),
        ("workspace", "a directory"),
    ],
)
def test_a_key_that_is_none_is_refused(folder: Path, key: str, said: str) -> None:
    (folder / SUMS).write_text(f"{HEX}  {NAME}\n")
    (folder / SIGNATURE).write_bytes(SIGNER.sign(DATA))
    message = refusal(folder, minisign=key)
    assert said in message
    assert f"verify: minisign: {key}" in message


def test_both_must_hold_where_both_are_asked_for(folder: Path) -> None:
    rules = {"sha256sums": SUMS, "minisign": SIGNER.public}
    (folder / SUMS).write_text(f"{HEX}  {NAME}\n")
    assert f"minisign -S -m {NAME}" in refusal(folder, **rules)
    (folder / SIGNATURE).write_bytes(SIGNER.sign(DATA))
    assert opened(folder, **rules)
    (folder / SUMS).write_text(f"{OTHER}  {NAME}\n")
    assert "expects" in refusal(folder, **rules)


def test_what_is_opened_is_what_was_verified_whatever_happens_to_the_package(folder: Path) -> None:
    (folder / SUMS).write_text(f"{HEX}  {NAME}\n")
    rules = Verify(sha256sums=SUMS)
    with verification.verified(
        folder / NAME, rules, folder.joinpath, folder / "workspace"
    ) as verified:
        (folder / NAME).write_bytes(b"another")
        assert verified.name == NAME
        assert verified.read_bytes() == DATA
        assert verified.parent.stat().st_mode & 0o077 == 0
    assert list((folder / "workspace").iterdir()) == []


def test_nothing_of_a_package_is_parsed_before_it_is_verified(folder: Path) -> None:
    """The archive's own complaint would be another: it is no zip at all."""
    (folder / NAME).write_bytes(b"no zip")
    (folder / SUMS).write_text(f"{HEX}  {NAME}\n")
    assert "its SHA-256 is" in refusal(folder, sha256sums=SUMS)


def test_a_folder_and_what_is_no_file_are_refused_with_words(folder: Path) -> None:
    (folder / SUMS).write_text(f"{HEX}  {NAME}\n")
    (folder / NAME).unlink()
    os.mkfifo(folder / NAME)
    assert "no regular file" in refusal(folder, sha256sums=SUMS)
    (folder / NAME).unlink()
    (folder / NAME).mkdir()
    assert "a folder has no digest" in refusal(folder, sha256sums=SUMS)
    (folder / NAME).rmdir()
    assert "there is no such file" in refusal(folder, sha256sums=SUMS)


def test_checksums_in_a_pipe_do_not_block(folder: Path) -> None:
    os.mkfifo(folder / SUMS)
    assert "no regular file" in refusal(folder, sha256sums=SUMS)


@pytest.mark.parametrize(
    ("app", "environment", "said"),
    [
        ("{}", "null", "it verifies nothing"),
        ("{sha256sum: x}", "null", "sha256sums"),
        ("null", '{minisign: ""}', "minisign"),
        ('{sha256sums: "a\\0b"}', "null", "sha256sums"),
    ],
)
def test_a_setting_that_verifies_nothing_is_refused(
    tmp_path: Path, app: str, environment: str, said: str
) -> None:
    file = tmp_path / "fabric.yaml"
    file.write_text(settings(app, environment))
    with pytest.raises(BadInput, match=re.escape("fabric.yaml:")) as refused:
        load.load(file, "prod")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("app", "environment", "sums", "key"),
    [
        ("null", "null", None, None),
        ("null", "{minisign: env.pub}", None, "env.pub"),
        ("{sha256sums: app}", "{minisign: env.pub}", "app", "env.pub"),
        ("{sha256sums: app}", "{sha256sums: env, minisign: env.pub}", "app", "env.pub"),
    ],
)
def test_an_app_adds_to_what_its_environment_asks_for(
    tmp_path: Path, app: str, environment: str, sums: str | None, key: str | None
) -> None:
    file = tmp_path / "fabric.yaml"
    file.write_text(settings(app, environment))
    loaded = load.load(file, "prod")
    rules = loaded.verification(loaded.apps[0])
    assert (rules.sha256sums if rules else None) == sums
    assert (rules.minisign if rules else None) == key


def settings(app: str, environment: str) -> str:
    return (
        f"deploy:\n  apps:\n    web: {{package: web.*, target_group: web, ports: [5000], "
        f"verify: {app}}}\n  environments:\n    prod: {{hosts: [web-1], verify: {environment}}}\n"
    )


def test_a_changed_package_list_or_signature_is_refused_and_opened_without_the_rules() -> None:
    """A sample of the audit's."""
    assert packages.attack(40).findings == ()
    assert packages.control(200).findings


@pytest.mark.parametrize("words", [[], ["--binary"], ["--tag"]])
def test_the_real_sha256sum_writes_what_is_read(folder: Path, words: list[str]) -> None:
    (folder / "back\\slash").write_bytes(b"")
    said = subprocess.run(
        ["sha256sum", *words, "back\\slash", NAME],
        cwd=folder,
        capture_output=True,
        check=True,
    ).stdout
    (folder / SUMS).write_bytes(said)
    assert opened(folder, sha256sums=SUMS)
    (folder / NAME).write_bytes(DATA[:-1])
    assert "expects" in refusal(folder, sha256sums=SUMS)


@pytest.mark.skipif(not HAS_MINISIGN, reason="minisign is not installed: apt-get install minisign")
def test_the_real_minisign_signs_what_is_verified_and_verifies_what_we_sign(folder: Path) -> None:
    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["minisign", *words], cwd=folder, capture_output=True, text=True, check=False, input=""
        )

    assert run("-G", "-W", "-p", "real.pub", "-s", "real.key").returncode == 0
    assert run("-S", "-s", "real.key", "-m", f"./{NAME}").returncode == 0
    assert opened(folder, minisign="real.pub")
    assert opened(folder, minisign=(folder / "real.pub").read_text().splitlines()[1])
    assert run("-S", "-l", "-s", "real.key", "-m", NAME).returncode == 0
    assert "legacy" in refusal(folder, minisign="real.pub")
    assert run("-S", "-s", "real.key", "-m", NAME, "-t", "release").returncode == 0
    assert f"file:{NAME}" in refusal(folder, minisign="real.pub")
    assert run("-S", "-s", "real.key", "-m", NAME, "-t", f"release file:{NAME}").returncode == 0
    assert opened(folder, minisign="real.pub")
    (folder / SIGNATURE).write_bytes(SIGNER.sign(DATA))
    assert run("-V", "-P", SIGNER.public, "-m", NAME).returncode == 0
    assert minisign.shown(STRANGER.key_id) in run("-V", "-P", STRANGER.public, "-m", NAME).stderr
