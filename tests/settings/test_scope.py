"""Suggested commands have the scope of the command that failed, and can be typed."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import builders
import pytest
from invoke.parser import Parser

from changeover import namespace
from deploy.commands import conclusion
from deploy.errors import BadInput
from deploy.hosts.records import Record
from deploy.plan import assembly, exclusion, fitness, preflight
from deploy.plan.candidate import OpenedPackage
from deploy.recovery import rollback
from deploy.run.report import Failure, Outcome, Report
from deploy.session import arguments
from deploy.session.arguments import CommandOptions
from deploy.settings.scope import TAKES, Scope
from deploy.survey.slot import Slot

NAMES = {"app": "web", "hosts": "host-1,host-2", "skip_host": "host-9", "batch": "1,50%"}
FILE = "/a folder/other.yaml"
SCOPES = {
    "all of it": CommandOptions("prod", FILE),
    "one app": CommandOptions("prod", FILE, app="web"),
    "some hosts": CommandOptions("prod", FILE, hosts="host-1, host-2"),
    "not one": CommandOptions("prod", FILE, skip_host="host-9", batch="25%"),
    "everything": CommandOptions("prod", FILE, **NAMES, allow_downtime=True),  # type: ignore[arg-type]
}


def typed(command: str) -> tuple[str, dict[str, object]]:
    """The task and its options, as Invoke's own parser reads the command; it raises for a fault."""
    words = shlex.split(command)
    assert words[0] == "inv"
    contexts = namespace.to_contexts()
    (parsed,) = Parser(contexts=contexts, initial=None).parse_argv(words[1:])
    assert not parsed.missing_positional_args
    return str(parsed.name), {name: each.value for name, each in parsed.args.items()}


def suggested(text: str) -> list[str]:
    """The commands in a message: from `inv` to the end of the line, or to the next clause."""
    found = re.findall(r"\binv [^\n;]*?(?= shows | repairs |;|$)", text, re.MULTILINE)
    return [each.strip() for each in found]


def assert_scoped(text: str, asked: CommandOptions) -> list[str]:
    """Each command can be typed, and says of apps, hosts and batch what was said."""
    commands = suggested(text)
    for command in commands:
        name, given = typed(command)
        assert given["env"] == asked.environment
        assert given["settings"] == asked.settings
        for option in TAKES[name]:
            was = getattr(asked, option)
            if was is not None:
                assert given[option.replace("_", "-")] == was, command
    return [typed(command)[0] for command in commands]


@pytest.mark.parametrize("asked", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize("verb", TAKES)
def test_a_suggestion_is_typed_as_the_parser_reads_it(asked: CommandOptions, verb: str) -> None:
    more = ("--reason", "it is dead") if verb == "lock.break" else ()
    assert assert_scoped(asked.scope().command(verb, *more), asked) == [verb]


ENDS = {
    "failed": ({}, "deploy"),
    "mixed": ({"host-1": Outcome.DONE}, "deploy"),
    "out": ({"host-1": Outcome.OUT}, "deploy"),
    "rollback mixed": ({"host-1": Outcome.DONE}, "rollback"),
    "repair": ({}, "repair"),
}


@pytest.mark.parametrize("asked", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize(("ends", "verb"), ENDS.values(), ids=ENDS)
def test_what_a_report_suggests_can_be_typed(
    asked: CommandOptions, ends: dict[str, Outcome], verb: str
) -> None:
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    offers = (builders.offer(builders.app(), hosts),)
    made = assembly.make(builders.environment(), offers, builders.survey(hosts))
    failures = (Failure(builders.host(2), "upload", "no"),)
    report = Report(made, dict.fromkeys(("host-1", "host-2"), Outcome.BACK) | ends, failures)
    more = {"deploy": ("--package", "2.0.0"), "rollback": ("--to", "1.0.0")}.get(verb, ())
    flags = () if verb == "repair" else asked.flags
    text = conclusion.next_steps(asked.scope(verb, *more, *flags), report)
    names = assert_scoped(text, asked)
    assert names
    if verb != "deploy":
        assert set(names) <= {verb, "status", "repair"}


def test_only_hosts_that_kept_the_new_release_are_a_reason_to_roll_back() -> None:
    """Otherwise the rollback that is suggested would undo the run before."""
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    offers = (builders.offer(builders.app(), hosts),)
    made = assembly.make(builders.environment(), offers, builders.survey(hosts))
    failures = (Failure(builders.host(2), "upload", "no"),)
    scope = Scope("prod", app="web")
    back = dict.fromkeys(("host-1", "host-2"), Outcome.BACK)
    mixed = Report(made, back, failures, mixed=True)
    assert "rollback" not in conclusion.next_steps(scope, mixed)
    kept = Report(made, back | {"host-1": Outcome.DONE}, failures)
    assert "inv rollback --env prod --app web" in conclusion.next_steps(scope, kept)


def test_a_host_whose_name_has_a_comma_is_deployed_to_later_by_its_id() -> None:
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    host = replace(builders.host(3), name="web, blue")
    seen = replace(builders.survey(hosts), left_out={host: "no answer"})
    offers = (builders.offer(builders.app(), hosts),)
    made = assembly.make(builders.environment(), offers, seen, allow_downtime=True)
    ends = {"host-1": Outcome.DONE, "host-2": Outcome.DONE, "web, blue": Outcome.LEFT_OUT}
    failures = (Failure(host, "the check before the start", "no answer"),)
    text = conclusion.next_steps(Scope("prod"), Report(made, ends, failures))
    assert text.endswith(f"inv deploy --env prod --hosts {host.instance_id}")


def test_a_host_that_was_left_out_is_deployed_to_later_by_itself() -> None:
    hosts = [builders.facts(n, {"web": builders.slot()}) for n in (1, 2)]
    offers = (builders.offer(builders.app(), hosts),)
    made = assembly.make(builders.environment(), offers, builders.survey(hosts))
    ends = {"host-1": Outcome.DONE, "host-2": Outcome.DONE, "host-3": Outcome.LEFT_OUT}
    failures = (Failure(builders.host(3), "the check before the start", "no answer"),)
    text = conclusion.next_steps(
        Scope("prod", more=("--package", "2.0.0"), skip_host="x"), Report(made, ends, failures)
    )
    assert text.endswith("inv deploy --env prod --hosts host-3 --package 2.0.0")


@pytest.mark.parametrize("asked", SCOPES.values(), ids=SCOPES)
def test_what_a_refusal_suggests_can_be_typed(asked: CommandOptions) -> None:
    seen = builders.survey([builders.facts(n, init="sh") for n in (1, 2)] + [builders.facts(3)])
    scope = asked.scope("deploy", "--package", "2.0.0")
    problems = fitness.unfit((builders.app(),), seen)
    with pytest.raises(BadInput) as refused:
        exclusion.leave_out(builders.environment(), seen, problems, scope)
    command = str(refused.value).rpartition(": ")[2]
    name, given = typed(command)
    skipped = [asked.skip_host] if asked.skip_host else []
    assert (name, given["package"]) == ("deploy", "2.0.0")
    assert given["skip-host"] == ",".join([*skipped, "host-1", "host-2"])
    assert (given["app"], given["hosts"], given["batch"]) == (asked.app, asked.hosts, asked.batch)

    bad = Slot(releases=(builders.NEW,), bad=frozenset({builders.NEW}))
    opened = OpenedPackage(builders.app(), builders.package(), ("web",))
    with pytest.raises(BadInput) as refused:
        preflight.marked(
            [opened], builders.survey([builders.facts(1, {"web": bad})]), asked.scope()
        )
    name, given = typed(str(refused.value).rpartition(": ")[2])
    assert (name, given["app"], given["package"]) == ("deploy", "web", "2.0.0")


@pytest.mark.parametrize("asked", SCOPES.values(), ids=SCOPES)
def test_what_a_rollback_of_several_runs_suggests_can_be_typed(asked: CommandOptions) -> None:
    apps = builders.app(), builders.app("api", 5100)
    old = (Record("1.0.0-aaaaaaaaaaaa", "u"), Record(builders.OLD, builders.unit().digest))
    slots = {app.name: builders.slot(history=old) for app in apps}
    seen = builders.survey([builders.facts(n, slots) for n in (1, 2)], apps=apps)
    with pytest.raises(BadInput) as refused:
        rollback.make(builders.environment(*apps), seen, scope=asked.scope("rollback"))
    first, *lines = str(refused.value).splitlines()
    assert first == "More than one run may be meant; type one of these:"
    for line, app in zip(lines, ("web", "api"), strict=True):
        name, given = typed(line.rpartition(": ")[2])
        assert (name, given["app"]) == ("rollback", app)
        assert (given["hosts"], given["batch"]) == (asked.hosts, asked.batch)


def test_no_other_place_suggests_a_command_of_its_own_making() -> None:
    """A command that is written out by hand has no scope; these have none to have."""
    allowed = {
        "inv lab.up",
        "inv check`",
        "inv help`",
        "inv report`",
        "inv promote` ",
        "inv abort` ",
        "inv status`",
        "inv watch`",
        "inv status |",
        "inv status >&-`",
    }
    root = Path(arguments.__file__).parents[1]
    for file in root.rglob("*.py"):
        for found in re.findall(r'["\s`]inv (?:[a-z]+|--)[^"\s]*[^"\n]{0,6}', file.read_text()):
            words = found.strip(' "`\n')
            # What Invoke itself got wrong; what the runbook says for any environment.
            if file.stem in {"invoke_patch", "__init__"}:
                continue
            assert any(f"{words}`".startswith(each) for each in allowed), (file.name, words)


def test_the_parser_refuses_what_no_verb_has() -> None:
    """The control of the tests above."""
    with pytest.raises(Exception, match="No idea what '--hosts' is"):
        typed(Scope("prod", hosts="a").command("deploy").replace("deploy", "status"))
