"""A template computes a unit's text within bounds, and reaches nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from audit import templates
from deploy.errors import BadInput
from deploy.unit import template, template_files

if TYPE_CHECKING:
    from pathlib import Path

VALUES: dict[str, object] = {"app": "web", "environment": ("A=b", "C=d"), "systemd": 252}


def fill(folder: Path, text: str) -> str:
    path = folder / "mine.j2"
    path.write_text(text)
    return template.fill(path, VALUES)


def test_hostile_templates_are_refused_and_name_the_template() -> None:
    attempt = templates.attack()
    assert attempt.findings == ()
    assert attempt.tried > 200


def test_control_the_same_templates_get_through_without_the_sandbox() -> None:
    found = templates.attack(templates.unguarded, may_use_up=False)
    assert len(found.findings) > 100


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{% for each in environment %}{{ loop.index }}{{ each }}{% endfor %}", "1A=b2C=d"),
        ("{% for each in environment %}{{ each }}{% else %}none{% endfor %}", "A=bC=d"),
        ("{{ app|upper }}{{ app ~ 's' }}{{ app.replace('w', 'v') }}", "WEBwebsveb"),
        ("{{ '%s-%02d'|format(app, 7) }}{{ '{}:{:>4}'.format(app, 1) }}", "web-07web:   1"),
        ("{% if systemd >= 250 and 'A=b' in environment %}yes{% endif %}", "yes"),
        ("{% macro line(name) %}{{ name }}=1{% endmacro %}{{ line('X') }}", "X=1"),
        ("{% set n = namespace(x=0) %}{% for i in range(9) %}{% set n.x = n.x + i %}"
         "{% endfor %}{{ n.x }}", "36"),
        ("{{ environment|join(' ') }} {{ environment|length }}", "A=b C=d 2"),
        ("{% set a, b = environment %}{{ b }}", "C=d"),
        ("{{ systemd * 1000 + 2 ** 8 }} {{ '-' * 10 }}", "252256 ----------"),
        ("{% include 'below/part.j2' %}", "part of web"),
        ("{% from 'below/macros.j2' import twice %}{{ twice(app) }}", "webweb"),
        ("{% extends 'below/base.j2' %}{% block own %}{{ app }}{% endblock %}", "[web]"),
    ],
)  # fmt: skip
def test_what_a_unit_needs_still_works(text: str, expected: str, tmp_path: Path) -> None:
    below = tmp_path / "below"
    below.mkdir()
    (below / "part.j2").write_text("part of {{ app }}")
    (below / "macros.j2").write_text("{% macro twice(x) %}{{ x }}{{ x }}{% endmacro %}")
    (below / "base.j2").write_text("[{% block own %}{% endblock %}]")
    assert fill(tmp_path, text) == expected


def test_an_error_in_what_is_included_names_that_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "part.j2").write_text("\n\n{{ comand }}")
    with pytest.raises(BadInput, match=r"part\.j2:3: 'comand' is undefined"):
        fill(tmp_path, "{% include 'part.j2' %}")
    (tmp_path / "part.j2").write_text("\n{% if %}")
    with pytest.raises(BadInput, match=r"part\.j2:2: "):
        fill(tmp_path, "{% include 'part.j2' %}")


@pytest.mark.parametrize("name", ["/etc/hostname", "../outside", "link"])
def test_a_template_reads_no_file_outside_its_folder(name: str, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("outside")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(BadInput, match="is not below the template's folder"):
        fill(folder, f"{{% include {name!r} ignore missing %}}")


def test_a_template_that_is_no_file_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="it is not a file"):
        template.fill(tmp_path, VALUES)
    with pytest.raises(BadInput, match="it has more than"):
        fill(tmp_path, " " * (template_files.MOST_CHARACTERS + 1))
