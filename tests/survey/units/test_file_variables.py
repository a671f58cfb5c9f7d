"""An environment file that contradicts the unit, or that systemd does not read, is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import builders
import pytest
from shell import run

from deploy.hosts.scripts import read
from deploy.hosts.scripts.script import text_of
from deploy.survey.parse import parse_host
from deploy.survey.units import file_variables

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "c2VjcmV0"  # noqa: S105 - to be seen nowhere
CASES: list[tuple[str, tuple[int, ...], tuple[str, ...], tuple[str, ...]]] = [
    # The file; the app's ports; variables that it sets over the unit's; those after `export`.
    ("PORT=3000\n", (5000,), ("PORT",), ()),
    ("PORT=5000\n", (5000,), (), ()),
    ('PORT="5000"\n', (5000,), (), ()),
    ("PORT=5000\n", (5000, 5001), ("PORT",), ()),  # one of both slots
    ("ASPNETCORE_URLS=http://localhost:5000\n", (5000,), (), ()),
    ("ASPNETCORE_URLS=http://localhost:80\n", (5000,), ("ASPNETCORE_URLS",), ()),
    ("DB=x\nOTHER=y\n", (5000,), ("DB",), ()),
    ("export DB=x\nexport TOKEN=y\n", (5000,), (), ("DB", "TOKEN")),
    (" # PORT=1\n;PORT=2\nPORT\n\nulimit -n 2048\n", (5000,), (), ()),
    (f"KEY='{SECRET}\nPORT=1\nexport A=b\n'\nPORT=3\n", (5000,), ("PORT",), ()),
    (f'KEY="{SECRET}\\"\nPORT=1"\nDB=1\n', (5000,), ("DB",), ()),
    (f"KEY={SECRET}\\\nPORT=1\nDB=1\n", (5000,), ("DB",), ()),
    (f"KEY={SECRET}==\n{SECRET}=\n", (5000,), (), ()),
    ("", (5000,), (), ()),
]


@pytest.mark.parametrize(("text", "ports", "overridden", "exported"), CASES)
def test_names_alone_are_read_of_what_systemd_reads_otherwise(
    tmp_path: Path,
    text: str,
    ports: tuple[int, ...],
    overridden: tuple[str, ...],
    exported: tuple[str, ...],
) -> None:
    file = tmp_path / "web.env"
    file.write_text(text)
    ran = run(text_of((read.survey_variables("web", str(file), ports, ["DB"]),)))
    (slot,) = parse_host(builders.host(), ran.facts, [builders.app()]).slots.values()
    assert (slot.overridden, slot.exported) == (overridden, exported)
    assert SECRET not in ran.stdout + ran.stderr + "".join(ran.facts)


def test_a_file_that_is_not_there_has_none(tmp_path: Path) -> None:
    """It is refused elsewhere."""
    ran = run(text_of((read.survey_variables("web", str(tmp_path / "absent"), (5000,), []),)))
    assert (ran.exit_code, ran.facts) == (0, ())


def test_hosts_with_the_same_contradiction_are_one_line() -> None:
    web = builders.app(environment_file="/etc/web.env")
    slot = builders.slot(overridden=("PORT",), exported=("DB",))
    seen = builders.survey([builders.facts(number, {"web": slot}) for number in (1, 2)], {}, [web])
    assert file_variables.notes(seen, [web]) == (
        "host-1, host-2: /etc/web.env sets PORT otherwise than the unit of web, and the file's "
        "value wins: set it in one of the two",
        "host-1, host-2: systemd ignores DB in /etc/web.env, which stands after `export`: web "
        "starts without it; write NAME=value alone",
    )
    control = builders.survey([builders.facts(1, {"web": builders.slot()})], {}, [web])
    assert file_variables.notes(control, [web]) == ()
