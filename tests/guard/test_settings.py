"""Whatever a settings file holds, a command reads it or refuses it in one message."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard import damage, examples, projects
from guard.command import check, run

if TYPE_CHECKING:
    from guard.conftest import Ground

VALUES = (
    *(".nan", ".inf", "-.inf", "1e999", "1_000", "0x" + "f" * 4000, "0o17", "1:30", "+1", "1e-400"),
    *(
        "2024-01-01",
        "2024-13-45",
        "2024-01-01T00:00:00Z",
        "12:30:45",
        "!!binary aGk=",
        "!!binary =",
    ),
    *("!!python/object/apply:os.system [id]", "!!set {a, b}", "!!omap [a: 1]", "!!null x", "!a b"),
    *(
        "&x [*x]",
        "*sandbox",
        "*nowhere",
        "{<<: *sandbox}",
        "<<: *sandbox",
        "? [a, b] : c",
        "? {a: b} : c",
        "!!int x",
    ),
    *(
        '"\\ud83d\\ude80"',
        '"\\ud83d"',
        '"\\0"',
        '"\\x1b[2J"',
        '"\\u2028"',
        '"\\U000e0041"',
        "|",
        ">-",
    ),
    *(
        "{}",
        "[]",
        "[[]]",
        "{a: {}}",
        "[1, 2, 3]",
        "[a, a]",
        "{1: 2}",
        "{~: ~}",
        "{true: x}",
        "{a: b}",
    ),
    *(
        "[" * 60 + "]" * 60,
        "[" * 900,
        "{a: " * 60 + "}" * 60,
        "- - - -",
        "[~]",
        "[[a]]",
        "{[a]: b}",
    ),
    *("%YAML 1.1", "--- a", "...", "%", "@", "`", "'", '"', "- a", "a: b: c", "a: 1\na: 2"),
    *("{a: 1, a: 2}", "[" + "x, " * 60_000 + "]", "10%", "0%", "-1%", "101%", "1%%", "٣", "٣%"),
    *(
        '"%s %(x)s {0} {port.x} ${HOME} $(id) `id`"',
        "{{ 7 }}",
        "{port!r}",
        '"{port"',
        "*.zip",
        "**",
    ),
    *('"[a-"', "/**/*", "../../*", "packages/*.zip", "packages/web.1.2.3.zip", "host.invalid"),
    *damage.WORDS,
)

WAYS = (
    ("deploy", "--dry-run", "--allow-downtime"),
    ("deploy", "--dry-run", "--allow-downtime", "--app", "web"),
    ("deploy", "--dry-run", "--batch", "1,50%"),
    ("status",),
    ("rollback", "--dry-run"),
)


@examples.of_each
@given(
    text=damage.damaged((projects.LEAST, projects.MOST, projects.MOST, projects.LAB), VALUES),
    place=damage.places,
    way=st.sampled_from(WAYS),
)
def test_a_damaged_settings_file_is_read_or_refused(
    ground: Ground, text: bytes, place: str, way: tuple[str, ...]
) -> None:
    projects.lay_out(ground)
    damage.put(place, ground.project / "fabric.yaml", text)
    ended = check(run(*way, "--env", "lab"))
    assert ended.code in {0, 1, 2, 5}


@pytest.mark.parametrize("place", damage.PLACES)
@pytest.mark.parametrize("name", ["fabric.yaml", "more.yaml", "unit.j2", "packages/SHA256SUMS"])
def test_what_is_no_file_of_settings_is_refused(ground: Ground, place: str, name: str) -> None:
    projects.lay_out(ground, projects.MOST)
    (ground.project / name).unlink()
    damage.put(place, ground.project / name, b"")
    ended = check(run("deploy", "--dry-run", "--allow-downtime", "--env", "lab"))
    assert ended.code in ({0, 2} if name == "more.yaml" else {2})


@pytest.mark.parametrize("text", [projects.LEAST, projects.MOST])
def test_control_a_valid_settings_file_is_read(ground: Ground, text: str) -> None:
    projects.lay_out(ground, text)
    ended = check(run("deploy", "--dry-run", "--allow-downtime", "--env", "lab"))
    assert "Dry run: nothing was changed." in ended.out, ended.err
