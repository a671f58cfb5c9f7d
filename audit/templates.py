"""Templates that come with other people's settings: what they can reach, read and use up."""

from __future__ import annotations

import resource
import tempfile
import time
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from audit.wall import Attempt, Wall
from deploy.errors import BadInput
from deploy.unit import template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Fill = Callable[[Path, dict[str, object]], str]

SECRET = "what is outside of the folder"  # noqa: S105
MOST_SECONDS, MOST_MEGABYTES = 5.0, 200.0
VALUES: dict[str, object] = {
    "app": "web",
    "environment": ("A=b",),
    "environment_file": None,
    "port": 5000,
    "release": "1.2.3-0123456789ab",
}

# Each is refused wherever it stands in a template.
REACHES = (
    "''.__class__",
    "''.__class__.__mro__[1].__subclasses__()",
    "app.__init__",
    "app['__class__']",
    "port.__class__.__base__",
    "environment.__class__",
    "().__class__.__base__.__subclasses__()",
    "self.__init__.__globals__",
    "self._TemplateReference__context",
    "range.__class__",
    "range(3).__reduce__()",
    "namespace.__init__.__globals__",
    "dict.__base__",
    "dict(a=1).__class__",
    "cycler.__init__.__globals__.os.getcwd()",
    "joiner.__init__.__globals__",
    "lipsum.__globals__['os']",
    "''|attr('__class__')",
    "['']|map(attribute='__class__')|first",
    "['']|map('attr', '__class__')|first",
    "'{0.__class__}'.format(app)",
    "'{0.__class__.__mro__}'.format(port)",
    "'{a.__init__}'.format_map({'a': app})",
    "app.encode().__class__",
)
PLACES = (
    "{{{{ {} }}}}",
    "{{% if {} %}}yes{{% endif %}}",
    "{{% set y = {} %}}{{{{ y|string }}}}",
    "{{% for y in [{}] %}}{{{{ y|string }}}}{{% endfor %}}",
    "{{{{ ({})|string }}}}",
    "{{{{ [{}]|first|string }}}}",
    "{{% macro f(y) %}}{{{{ y|string }}}}{{% endmacro %}}{{{{ f({}) }}}}",
    "{{% set y %}}{{{{ {} }}}}{{% endset %}}{{{{ y }}}}",
)
FILES = ("{outside}", "../outside/secret", "../../{outside}", "./link", "link", "below/../../x")
LOADS = ("{{% include {!r} %}}", "{{% extends {!r} %}}", "{{% include [{!r}] %}}")
DOUBLED = (
    "{{% set n = namespace(x={0}) %}}{{% for i in range(60) %}}{{% set n.x = {1} %}}{{% endfor %}}"
    "{{{{ n.x|string }}}}"
)
USES_UP = (
    "{% for a in range(99999999) %}x{% endfor %}",
    "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
    "{% for c in 'a' * 16000 %}{{ c * 16000 }}{% endfor %}",
    "{% for a in [1] recursive %}{{ loop([1, 2]) }}{% endfor %}",
    "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
    "{% include 'mine.j2' %}{% include 'mine.j2' %}",
    "{{ 'a' * 10 ** 10 }}",
    "{{ [1] * 10 ** 9 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a'.ljust(1000000000) }}",
    "{{ 'a'.zfill(1000000000) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '%*d'|format(1000000000, 1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{w}}'.format(1, w='1000000000') }}",
    "{{ 'a'|replace('', 'b' * 16000)|replace('b', 'c' * 16000) }}",
    "{{ ('a' * 9999).join(['b'] * 9999) }}",
    "{{ range(99999)|map('string')|list|join }}",
    DOUBLED.format("'a'", "n.x ~ n.x"),
    DOUBLED.format("'a'", "n.x + n.x"),
    DOUBLED.format("'a'", "[n.x, n.x]|join"),
    DOUBLED.format("[1]", "[n.x, n.x]"),
    DOUBLED.format("3", "n.x * n.x"),
    "{{ " + "(" * 3000 + " }}",
    "{% if 1 %}" * 200 + "{% endif %}" * 200,
    "x" * 2_000_000,
)


def hostile(folder: Path) -> tuple[list[str], list[str]]:
    """Give the templates that reach or read what they must not, and those that use up."""
    outside = folder.parent / "outside"
    outside.mkdir()
    (outside / "secret").write_text(SECRET)
    (folder / "link").symlink_to(outside / "secret")
    (folder / "below").mkdir()
    names = [name.format(outside=outside / "secret") for name in FILES]
    reading = [load.format(name) for load, name in product(LOADS, names)]
    reaching = [place.format(each) for place, each in product(PLACES, REACHES)]
    return [*reaching, *reading], list(USES_UP)


def tried(texts: Iterable[str], fill: Fill, folder: Path) -> Attempt:
    """Fill in each template; a finding is one that is not refused, or that takes too much."""
    count, findings, longest = 0, list[str](), 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = folder / "mine.j2"
    for text in texts:
        count += 1
        path.write_text(f"[Service]\n{text}\n")
        began = time.process_time()
        try:
            fill(path, VALUES)
        except BadInput as error:
            if f"template {folder}" not in str(error):
                findings.append(f"{text[:60]!r}: the refusal names no template: {error}")
        except Exception as error:  # noqa: BLE001 - any is a finding
            findings.append(f"{text[:60]!r}: raised {type(error).__name__}: {error}")
        else:
            findings.append(f"{text[:60]!r}: it was filled in")
        seconds = time.process_time() - began
        longest = max(longest, seconds)
        if seconds > MOST_SECONDS:
            findings.append(f"{text[:60]!r}: it took {seconds:.1f} s")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    if grown > MOST_MEGABYTES:
        findings.append(f"memory grew by {grown:.0f} MB")
    return Attempt(count, tuple(findings), f"at most {longest:.1f} s and {grown:.0f} MB")


def attack(fill: Fill = template.fill, *, may_use_up: bool = True) -> Attempt:
    """Try every hostile template."""
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root, "project")
        folder.mkdir()
        reaching, using = hostile(folder)
        return tried([*reaching, *using] if may_use_up else reaching, fill, folder)


def unguarded(path: Path, values: dict[str, object]) -> str:
    """Fill in a template by Jinja2 without a sandbox, as Changeover did."""
    loader = jinja2.FileSystemLoader([path.parent, "/"], followlinks=True)
    environment = jinja2.Environment(loader=loader)  # noqa: S701 - the wall that is removed
    try:
        return environment.from_string(path.read_text()).render(values)
    except jinja2.TemplateError as error:
        raise BadInput(f"template {path}: {error}") from error


WALLS = (
    Wall(
        "templates of others",
        attack,
        # Without the wall, what uses up would use up this machine.
        partial(attack, unguarded, may_use_up=False),
    ),
)
