"""What a host lacks of a package, and what it can copy, follows from digests alone."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.package import manifest
from deploy.package.manifest import LEAST_COPIED_BYTES, Copied, Difference, File, Found

OLD, PART = "1.0.0-a", ".2.0.0-b.part/files"
BIG = LEAST_COPIED_BYTES


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()


def file(path: str, contents: str = "", size: int = BIG) -> File:
    return File(path, digest(contents or path), size, executable=False)


def found(path: str, place: str = OLD, contents: str = "") -> Found:
    return Found(place, path, digest(contents or path))


def told(*files: Found) -> str:
    return "".join(f"{each.place}\t{each.digest}  ./{each.path}\n" for each in files)


APP, RUNTIME = file("app"), file("lib/runtime")


@pytest.mark.parametrize(
    ("files", "lying", "expected"),
    [
        pytest.param([APP], [], Difference((APP,), (), ()), id="nothing lies there"),
        pytest.param(
            [APP, RUNTIME],
            [found("app", contents="old"), found("lib/runtime")],
            Difference((APP,), (Copied(RUNTIME, found("lib/runtime")),), ()),
            id="one of two changed",
        ),
        pytest.param(
            [RUNTIME],
            [found("runtime", contents="lib/runtime")],
            Difference((), (Copied(RUNTIME, found("runtime", contents="lib/runtime")),), ()),
            id="it lies elsewhere",
        ),
        pytest.param(
            [RUNTIME],
            [found("runtime", contents="lib/runtime"), found("lib/runtime", "0.9.0-c")],
            Difference((), (Copied(RUNTIME, found("lib/runtime", "0.9.0-c")),), ()),
            id="the same path is taken first",
        ),
        pytest.param(
            [RUNTIME],
            [found("lib/runtime", PART), found("lib/runtime")],
            Difference((), (), (RUNTIME,)),
            id="it was sent before",
        ),
        pytest.param(
            [RUNTIME],
            [found("lib/runtime"), found("lib/runtime", PART)],
            Difference((), (), (RUNTIME,)),
            id="it was sent before, whichever is told first",
        ),
        pytest.param(
            [file("a", "twin"), file("b", "twin")],
            [],
            Difference(
                (file("a", "twin"),),
                (Copied(file("b", "twin"), found("a", PART, "twin")),),
                (),
            ),
            id="twins are sent once",
        ),
        pytest.param(
            [file("a", "twin", BIG - 1), file("b", "twin", BIG - 1)],
            [found("c", contents="twin")],
            Difference((file("a", "twin", BIG - 1), file("b", "twin", BIG - 1)), (), ()),
            id="small ones are sent sooner than copied from elsewhere",
        ),
        pytest.param(
            [file("a", "small", 0)],
            [found("a", contents="small")],
            Difference((), (Copied(file("a", "small", 0), found("a", contents="small")),), ()),
            id="with their path they are copied",
        ),
    ],
)
def test_what_is_sent_copied_and_kept(
    files: list[File], lying: list[Found], expected: Difference
) -> None:
    assert manifest.compare(files, lying, PART) == expected


contents = st.sampled_from("abcd")
paths = st.sampled_from(["app", "lib/a", "lib/b", "lib/c"])
places = st.sampled_from([OLD, "0.9.0-c", PART])


@given(
    package=st.dictionaries(paths, st.tuples(contents, st.sampled_from([0, BIG]))),
    lying=st.lists(st.tuples(places, paths, contents), unique_by=lambda each: each[:2]),
)
def test_whatever_lies_there_every_file_comes_once_and_right(
    package: dict[str, tuple[str, int]], lying: list[tuple[str, str, str]]
) -> None:
    """The host's part is played here: keep, unpack, copy; what comes of it is the package."""
    files = [file(path, *of) for path, of in package.items()]
    host = {(place, path): digest(of) for place, path, of in lying}
    difference = manifest.compare(files, [found(p, place, c) for place, p, c in lying], PART)
    come = [*difference.sent, *(copied.file for copied in difference.copied), *difference.kept]
    assert sorted(come, key=lambda each: each.path) == sorted(files, key=lambda each: each.path)
    host |= {(PART, each.path): each.digest for each in difference.sent}
    for copied in difference.copied:
        source = copied.source
        assert host[source.place, source.path] == source.digest
        host[PART, copied.file.path] = source.digest
    assert all(host[PART, each.path] == each.digest for each in files)
    known = {digest(of) for place, _, of in lying if place != PART}
    assert not any(each.size and each.digest in known for each in difference.sent)


names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)


@given(st.lists(names))
def test_any_name_a_package_may_have_is_read_as_it_was_written(odd: list[str]) -> None:
    files = [file(name) for name in odd]
    lines = manifest.write(files, "0" * 64).split("\n")[1:-1]
    text = "".join(f"{OLD}\t{line}\n" for line in lines)
    assert manifest.read(text) == tuple(Found(OLD, each.path, each.digest) for each in files)


def test_a_name_with_what_unicode_takes_for_a_line_end_stays_whole() -> None:
    assert manifest.read(told(found("a\u2028b"))) == (found("a\u2028b"),)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Welcome to prod",
        f"{OLD}\t{digest('x')[:-1]}  ./x",
        f"{OLD}\t{digest('x')}  x",
        f"{digest('x')}  ./x",
        f"a/b\t{digest('x')}  ./x",
        f"{OLD}\t\\{digest('x')}  ./a\\nb",
    ],
)
def test_other_lines_are_passed_over(line: str) -> None:
    assert manifest.read(f"{line}\n{told(found('app'))}") == (found("app"),)
