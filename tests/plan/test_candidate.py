"""From a package and an app's settings to the units that one deploy offers each host."""

from __future__ import annotations

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import builders
import pytest

from deploy.errors import BadInput
from deploy.plan import candidate, choice
from deploy.settings.app import App
from deploy.settings.health import Health
from deploy.survey.slot import Slot

if TYPE_CHECKING:
    from deploy.plan.candidate import OpenedPackage
    from deploy.settings.environment import Environment

FILES = ("web", "web.dll", "web.runtimeconfig.json", "tools/migrate", "appsettings.json")


def package(folder: Path, *files: str, name: str = "web.1.0.0.zip") -> Path:
    """A package as Windows makes one: without modes; a file may be `name=its text`."""
    with zipfile.ZipFile(folder / name, "w") as made:
        for file in files or FILES:
            inner, _, text = file.partition("=")
            made.writestr(inner, text or f"# {inner}\n")
    return folder / name


def environment(folder: Path, app: App, **settings: Any) -> Environment:
    return builders.environment(app, root=folder, **settings)


def prepared(folder: Path, *files: str, **settings: Any) -> OpenedPackage:
    """A package of these files, opened for an app with these settings."""
    app = builders.app(**settings)
    (folder / "workspace").mkdir(exist_ok=True)
    path = package(folder, *files)
    return candidate.prepare(environment(folder, app), app, path, folder / "workspace")


def executables(opened: OpenedPackage) -> set[str]:
    return {file.path for file in opened.package.manifest if file.executable}


@pytest.mark.parametrize(
    ("files", "settings", "words", "executable"),
    [
        (FILES, {}, ("web",), {"web"}),
        (("web.dll", "web.runtimeconfig.json"), {}, ("dotnet", "web.dll"), set()),
        (("web.dll", "libhostpolicy.so"), {}, ("dotnet", "web.dll"), set()),
        (FILES, {"command": "./web --urls 'http://*:{port}'"}, ("web", "--urls"), {"web"}),
        (FILES, {"command": "tools/migrate '&&'"}, ("tools/migrate", "&&"), {"tools/migrate"}),
        (FILES, {"command": "/usr/bin/env web"}, ("/usr/bin/env", "web"), set()),
        (FILES, {"command": "tini -p SIGTERM -- ./web -v"}, ("tini", "-p"), {"web"}),
        (FILES, {"command": "nice -n 5 stdbuf -oL tools/migrate"}, ("nice",), {"tools/migrate"}),
        (FILES, {"command": "dotnet web.dll"}, ("dotnet", "web.dll"), set()),
        (FILES, {"executables": ("tools/migrate",)}, ("web",), {"web", "tools/migrate"}),
        (FILES, {"run_once": "./tools/migrate --all"}, ("web",), {"web", "tools/migrate"}),
    ],
)
def test_the_command_and_what_the_settings_name_are_executable_and_nothing_else(
    files: tuple[str, ...],
    settings: dict[str, Any],
    words: tuple[str, ...],
    executable: set[str],
    tmp_path: Path,
) -> None:
    opened = prepared(tmp_path, *files, **settings)
    assert opened.words[: len(words)] == words
    assert executables(opened) == executable
    assert opened.package.path == tmp_path / "web.1.0.0.zip", "as it was named, not its copy"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("./web 'unclosed", 'web: command: "./web \'unclosed": No closing quotation; close the'),
        ("  ", "web: command: is empty; leave it out or name the executable"),
        ("./other", "other"),
    ],
)
def test_a_command_that_cannot_be_run_is_refused(command: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        prepared(tmp_path, command=command)
    assert said in str(refused.value)


def test_a_package_is_named_by_path_from_anywhere_or_from_the_settings_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = builders.app(package="web.*.zip")
    settings, path = environment(tmp_path, app), package(tmp_path, name="web.3.0.0.zip")
    package(tmp_path, name="web.1.0.0.zip")
    (tmp_path / "elsewhere").mkdir()
    other = package(tmp_path / "elsewhere", name="web.2.0.0.zip")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert choice.choose(settings, app, str(path)) == path
    assert choice.choose(settings, app, "web.2.0.0.zip") == other, "as a shell completes it"
    assert choice.choose(settings, app, "web.3.0.0.zip") == path
    assert choice.choose(settings, app, None) == path, "the newest"


@pytest.mark.parametrize("wanted", ["web.9.0.0.zip", "build/9.0.0"])
def test_a_package_that_is_not_there_is_refused_with_where_builds_go(
    wanted: str, tmp_path: Path
) -> None:
    app = builders.app(package="web.*.zip")
    with pytest.raises(BadInput, match=r"no such file or folder; web\.\*\.zip is where builds go"):
        choice.choose(environment(tmp_path, app), app, wanted)


def test_a_package_of_another_app_is_refused_unless_the_settings_match_it(tmp_path: Path) -> None:
    """`--app web --package api.1.1.0.zip` was deployed as web."""
    path = package(tmp_path, name="api.1.1.0.zip")
    web, api = builders.app("web", package="web.*"), builders.app("api", 5001)
    for settings in (
        builders.environment(web, api, root=tmp_path),
        builders.environment(web, other_apps=(api,), root=tmp_path),
    ):
        for pattern, wanted in (
            ("web.*", str(path)),
            ("*", "1.1.0"),
            ("*", None),
            ("*", str(path)),
        ):
            loose = builders.app("web", package=pattern)
            with pytest.raises(BadInput, match=r"named for the app api, .*--app api"):
                choice.choose(settings, loose, wanted)
        assert choice.choose(settings, api, str(path)) == path
        for pattern, wanted in (("packages/api.*", str(path)), ("api.*", "1.1.0"), ("api.*", None)):
            meant = builders.app("web", package=pattern)
            assert choice.choose(settings, meant, wanted) == path
    alone = builders.environment(web, root=tmp_path)
    assert choice.choose(alone, web, str(path)) == path


@pytest.mark.parametrize(
    ("command", "files", "said"),
    [
        ("python3 -u app.py", ("src/app.py",), "run app.py, .*did you mean 'src/app.py'"),
        ("/usr/bin/env node server.js", ("serve.js",), "run server.js, .*did you mean 'serve.js'"),
        ("tini -- node server.js", ("serve.js",), "run server.js, .*did you mean 'serve.js'"),
        ("dumb-init ./Web", ("web",), "the command's file 'Web' is not in it; did you mean 'web'"),
        ("nice -n 5 python3 -u app.py", ("src/app.py",), "run app.py, .*'src/app.py'"),
        ("env A=b nohup sh start.sh", ("web",), "run start.sh, which is not in"),
        ("java -Xmx1g -jar /srv/web/current/app.jar", ("web",), "run /srv/web/current/app.jar"),
        ("dotnet web.dll", ("web.dll",), r"reads from web\.runtimeconfig\.json how web\.dll is to"),
        ("dotnet Web.dll", ("web.dll",), "run Web.dll, .*did you mean 'web.dll'"),
        ("sh start.sh", ("web",), "run start.sh, which is not in web.1.0.0.zip"),
        (
            "sh start.sh",
            ("start.sh=set -e\r\n",),
            "'start.sh' end as Windows writes them, .*eol=lf",
        ),
        ("bash -e ./run", ("run=#!/bin/sh\r\n",), "the lines of 'run' end as Windows writes them"),
        ("gunicorn --daemon app:app", ("app.py",), "background by gunicorn --daemon; leave it out"),
        ("python3 -m gunicorn -D a:b", ("a.py",), "in the background by gunicorn -D; leave it out"),
        ("pm2 start app.js", ("app.js",), "background by pm2 start; write pm2-runtime"),
        ("cd app", ("web",), "'cd' is a word of the shell"),
        ("./web", ("web=#!/srv/web/current/venv/bin/python3\n",), "venv/bin/python3, which is not"),
        ("./web", ("web=#!bin/run\n",), "bin/run, which is not in the package"),
    ],
)
def test_a_command_whose_script_is_not_in_the_package_is_refused(
    command: str, files: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=said):
        prepared(tmp_path, *files, command=command)


@pytest.mark.parametrize(
    ("command", "files", "needs"),
    [
        ("node server", ("server.js",), {"node"}),
        ("pm2 start --no-daemon app.js", ("app.js",), {"pm2"}),
        ("gunicorn -w 4 app:app", ("app.py",), {"gunicorn"}),
        ("node app.js", ("app.js=#!/usr/bin/env node\r\n", "other.sh=a\r\n"), {"node"}),
        ("node dist", ("dist/index.js",), {"node"}),
        ("python3 -m http.server", ("web",), {"python3"}),
        ("python3 -W ignore app.py", ("web",), {"python3"}),
        ("python3 ./lib/../app.py", ("app.py",), {"python3"}),
        ("/usr/bin/env A=b python3.11 app.py", ("app.py",), {"/usr/bin/env", "python3.11"}),
        ("/usr/bin/python3 /opt/tools/app.py", ("web",), {"/usr/bin/python3"}),
        ("sh -c 'cd app && exec ./web'", ("web",), {"sh"}),
        ("cd --port 1", ("cd",), set()),
        ("./web", ("web=#!/usr/bin/env -S python3 -u\n",), {"/usr/bin/env", "python3"}),
        ("./web", ("web=#! /bin/sh\n",), {"/bin/sh"}),
        ("./web", ("web=#!/srv/web/current/run\n", "run"), set()),
        ("/srv/web/current/web", ("web",), set()),
    ],
)
def test_what_each_host_must_have_follows_from_command_and_package(
    command: str, files: tuple[str, ...], needs: set[str], tmp_path: Path
) -> None:
    assert set(prepared(tmp_path, *files, command=command).needs) == needs


def test_a_path_of_its_own_and_a_template_leave_open_where_a_program_is(tmp_path: Path) -> None:
    script = "web=#!/usr/bin/env python3\n"
    for settings in ({"environment": {"PATH": "/opt/bin"}}, {"environment_file": "/etc/web.env"}):
        assert set(prepared(tmp_path, script, command="./web", **settings).needs) == {
            "/usr/bin/env"
        }
        assert set(prepared(tmp_path, script, command="run", **settings).needs) == {"run"}
    shutil.copy(Path(__file__).parents[2] / "templates" / "service.j2", tmp_path / "own.j2")
    assert prepared(tmp_path, script, command="python3 gone.py", template="own.j2").needs == {}


def test_a_workers_check_needs_its_program_too(tmp_path: Path) -> None:
    health = Health(command="redis-cli ping")
    app = App(name="web", package="*", target_group="none", ports=(), health=health)
    (tmp_path / "workspace").mkdir()
    opened = candidate.prepare(
        environment(tmp_path, app), app, package(tmp_path), tmp_path / "workspace"
    )
    assert opened.needs == {"redis-cli": "health: command:"}


def test_what_is_run_once_needs_its_program_too(tmp_path: Path) -> None:
    opened = prepared(tmp_path, command="./web", run_once="alembic upgrade head")
    assert opened.needs == {"alembic": "run_once:"}
    assert prepared(tmp_path, command="./web", run_once="tools/migrate").needs == {}


@pytest.mark.parametrize(
    ("run_once", "said"),
    [
        ("./migrate --all", "web: run_once: ./migrate is no file of web.1.0.0"),
        ("python3 migrate.py", "web: run_once: python3 is to run migrate.py, which is not in"),
        ("cd tools", "web: run_once: 'cd' is a word of the shell"),
    ],
)
def test_p8_what_is_run_once_and_is_not_there_is_refused(
    run_once: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput) as caught:
        prepared(tmp_path, command="./web", run_once=run_once)
    assert said in str(caught.value)


def test_the_loader_of_an_elf_file_is_needed(tmp_path: Path) -> None:
    data = Path("/bin/true").read_bytes()
    (tmp_path / "workspace").mkdir()
    with zipfile.ZipFile(tmp_path / "web.1.0.0.zip", "w") as made:
        made.writestr("web", data)
    app = builders.app(command="./web")
    path = tmp_path / "web.1.0.0.zip"
    opened = candidate.prepare(environment(tmp_path, app), app, path, tmp_path / "workspace")
    (loader,) = opened.needs
    assert loader.startswith("/lib")
    assert Path(loader).exists()


@pytest.mark.parametrize("value", ["http://0.0.0.0:{port}", "{port}", "{Port} {port}"])
def test_the_slots_port_is_filled_in_in_the_environment_too(tmp_path: Path, value: str) -> None:
    app = builders.app("web", 5000, 5001, environment={"URLS": value})
    (tmp_path / "workspace").mkdir()
    settings = environment(tmp_path, app)
    opened = candidate.prepare(settings, app, package(tmp_path), tmp_path / "workspace")
    seen = builders.survey([builders.facts(1, {"web": builders.slot()})], apps=[app])
    for (_, port), unit in candidate.offer(settings, opened, seen).units.items():
        assert value.replace("{port}", str(port)) in unit.text
        assert "{port}" not in unit.text


def test_every_host_is_offered_a_unit_for_each_slot_with_its_own_group_and_port(
    tmp_path: Path,
) -> None:
    app = builders.app("web", 5000, 5001, command="./web --port {port}")
    (tmp_path / "workspace").mkdir()
    settings = environment(tmp_path, app)
    opened = candidate.prepare(settings, app, package(tmp_path), tmp_path / "workspace")
    groups = {1: "staff", 2: "", 3: "staff"}
    hosts = [
        builders.facts(number, {"web": builders.slot(group=group)}, spares={"web": Slot()})
        for number, group in groups.items()
    ]
    seen = builders.survey(hosts, apps=[app])
    offered = candidate.offer(settings, opened, seen)
    release = opened.package.release.id
    assert offered.units.keys() == {(host.host.name, port) for host in hosts for port in app.ports}
    for (host, port), unit in offered.units.items():
        assert unit.name == f"web@{port}.service"
        assert f"--port {port}" in unit.text
        group = groups[int(host[-1])] or app.service_user
        assert f"Group={group}\n" in unit.text
        assert f"/srv/web/releases/{release}" in offered.checks[host, port]
        assert "ExecStart=/bin/sh -s -- /srv/web/current/web\n" in offered.trials[host, port]
    one, other = (offered.unit(seen.on(hosts[n].host, app)) for n in (0, 1))
    assert one.digest != other.digest, "another group is another unit"
    assert one == offered.unit(seen.on(hosts[2].host, app))
    assert offered.units["host-1", 5001].digest == one.digest, "slots of one unit share a digest"


def test_a_host_without_ipv6_is_offered_a_unit_that_listens_on_ipv4(tmp_path: Path) -> None:
    app = builders.app()
    (tmp_path / "workspace").mkdir()
    settings = environment(tmp_path, app)
    opened = candidate.prepare(settings, app, package(tmp_path), tmp_path / "workspace")
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    hosts[1] = replace(hosts[1], has_ipv6=False)
    seen = builders.survey(hosts)
    offered = candidate.offer(settings, opened, seen)
    texts = [offered.unit(seen.on(each.host, app)).text for each in hosts]
    assert ["http://[::]:5000" in text for text in texts] == [True, False]
    assert ["http://0.0.0.0:5000" in text for text in texts] == [False, True]


def test_a_template_of_the_teams_own_is_used_and_what_is_dangerous_in_it_is_a_warning(
    tmp_path: Path,
) -> None:
    shipped = (Path(__file__).parents[2] / "templates" / "service.j2").read_text()
    text = shipped.replace("KillSignal=SIGTERM", "KillSignal=SIGINT")
    (tmp_path / "own.j2").write_text(text + "# A line of our own.\n")
    app = builders.app(template="own.j2", longest_request_seconds=5)
    (tmp_path / "workspace").mkdir()
    settings = environment(tmp_path, app)
    opened = candidate.prepare(settings, app, package(tmp_path), tmp_path / "workspace")
    hosts = [builders.facts(number, {"web": builders.slot()}) for number in (1, 2)]
    seen = builders.survey(hosts)
    offered = candidate.offer(settings, opened, seen)
    (warning,) = offered.warnings
    assert warning.startswith("own.j2: KillSignal=SIGINT")
    assert "# A line of our own." in offered.unit(seen.on(hosts[0].host, app)).text
