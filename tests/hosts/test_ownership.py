"""P7: what root reads on a host belongs to root; what does not is named with its repair."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import builders
import pytest

from audit import ownership as wall
from deploy.errors import BadInput
from deploy.hosts import ownership, service_user
from deploy.hosts.scripts.script import text_of

if TYPE_CHECKING:
    from pathlib import Path

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="files of another user need root")
HOST, NAME = wall.HOST, wall.NAME


@root_only
def test_p7_hostile_layouts_are_refused_and_good_ones_are_not() -> None:
    assert wall.layouts(ownership.judge, every=13).findings == ()


@root_only
def test_control_a_judge_of_modes_lets_owners_and_links_through() -> None:
    assert wall.layouts(wall.judge_of_modes, every=13).findings


@root_only
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            f"srv/{NAME} is another's",
            f"web-1: /srv/{NAME} is owned by uid 12345 and not by root; run there: "
            f"sudo chown root:root /srv/{NAME}",
        ),
        (
            f"srv/{NAME}/records is writable for all",
            f"web-1: /srv/{NAME}/records can be written to by others (mode 0702); run there: "
            f"sudo chmod go-w /srv/{NAME}/records",
        ),
        (
            f"srv/{NAME}/slots/5000 is another's",
            f"web-1: /srv/{NAME}/slots/5000 is owned by uid 12345 and not by root; run there: "
            f"sudo chown -h root /srv/{NAME}/slots/5000",
        ),
        (
            f"srv/{NAME}/records/history is a FIFO",
            f"web-1: /srv/{NAME}/records/history is a FIFO and not a file; look there and remove "
            f"it: sudo ls -ld /srv/{NAME}/records/history",
        ),
        (
            "etc/web is a link",
            "web-1: /etc/web is a link; name the file behind it under `environment_file:`",
        ),
        (
            "etc/web/web.env is a link",
            "web-1: environment_file /etc/web/web.env is a link; name the file behind it in its "
            "place",
        ),
        (
            "the environment file can be read by all",
            "web-1: environment_file /etc/web/web.env has mode 0644, and 0640 at most is allowed; "
            "run there: sudo chmod 600 /etc/web/web.env",
        ),
        (
            f"var/lib/{NAME} is another's",
            f"web-1: /var/lib/{NAME} belongs to uid 12345, and systemd would give it to {NAME}; "
            f"choose another app name, or run there: sudo chown root /var/lib/{NAME}",
        ),
    ],
)
def test_each_finding_names_the_path_and_what_repairs_it(change: str, said: str) -> None:
    assert wall.problems_of(ownership.judge, wall.hostile()[change]) == [said]


@root_only
def test_a_strangers_file_name_never_reaches_the_screen() -> None:
    for name, change in wall.hostile().items():
        if "stranger" in name:
            (said,) = wall.problems_of(ownership.judge, change)
            assert said.isprintable()
            assert said.isascii()
            assert f"/srv/{NAME}/records/bad/" in said


@root_only
def test_a_process_that_works_in_a_folder_of_its_own_is_said(tmp_path: Path) -> None:
    wall.lay_out(tmp_path)
    folder = tmp_path / "srv" / NAME
    os.chown(folder, wall.OTHER, -1)
    tmp_path.chmod(0o755)
    process = subprocess.Popen(["sleep", "60"], cwd=folder, user=wall.OTHER)
    try:
        (said,) = ownership.judge(HOST, wall.APP, wall.facts(tmp_path))
    finally:
        process.kill()
        process.wait()
    assert "a running process of uid 12345 works under /srv/" in said
    assert "choose another app name, or stop that process and run there: sudo chown" in said


@root_only
@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_any_posix_shell_prints_the_same(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell} here")
    wall.lay_out(tmp_path)
    words = [shell, "sh"] if shell == "busybox" else [shell]
    script = text_of(ownership.look(NAME, NAME, wall.ENVIRONMENT_FILE, str(tmp_path)))
    ended = subprocess.run([*words, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stderr == ""
    assert ownership.judge(HOST, wall.APP, ownership.parse(ended.stdout)) == []
    for line in ended.stdout.splitlines():
        assert line.startswith(f"{NAME}.own.")
        assert set(line.partition("=")[2]) <= set("0123456789abcdef ")


@pytest.mark.parametrize(
    "parsed",
    [
        {},
        {f"{NAME}.own.paths": "zz"},
        {f"{NAME}.own.paths": b"755 0 0 1 d ./srv\0\0".hex()},  # `/` is missing
        {f"{NAME}.own.paths": b"9 x 0 1 d .\0\0".hex()},
        {f"{NAME}.own.paths": "2e" * ownership.MOST_BYTES},
    ],
)
def test_facts_that_cannot_be_read_are_no_facts(parsed: dict[str, str]) -> None:
    (said,) = ownership.judge(HOST, wall.APP, parsed)
    assert said.startswith(f"web-1: the owners of what lies under /srv/{NAME} cannot be read")


def test_many_findings_are_counted() -> None:
    entries = ["755 0 0 2 d .", *(f"777 0 0 2 d ./srv/{number}" for number in range(20))]
    paths = "".join(f"{each}\0\0" for each in entries).encode().hex()
    said = ownership.judge(HOST, wall.APP, {f"{NAME}.own.paths": paths})
    assert len(said) == ownership.MOST_FINDINGS + 1
    assert said[-1] == f"web-1: 12 more paths of {NAME} have a wrong owner or mode"


@pytest.mark.parametrize(
    ("app", "user", "file"),
    [
        ("a b", "web", None),
        ("web", "$(id)", None),
        ("../etc", "web", None),
        ("web", "web", "/etc/a\0b"),
        ("web", "web", "/etc/a b"),
        ("web", "web", "/etc/../root/x"),
        ("web", "web", "etc/web.env"),
        ("web", "web", "/etc/a\nb"),
    ],
)
def test_no_odd_name_gets_into_the_script(app: str, user: str, file: str | None) -> None:
    with pytest.raises(BadInput):
        ownership.look(app, user, file)


def user_facts(
    passwd: str = "", groups: str = "web", sudo: str = "0", group: str = ""
) -> dict[str, str]:
    """What `service_user.question` prints of a user."""
    values = {"passwd": passwd, "groups": groups, "group": group}
    return {f"web.own.{key}": each.encode().hex() for key, each in values.items()} | {
        "web.own.sudo": sudo
    }


OURS = "web:x:998:998::/var/lib/web:/usr/sbin/nologin"


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (user_facts(), None),
        (user_facts(OURS), None),
        (user_facts(OURS, "web ssl-cert"), None),
        (user_facts(OURS.replace("/usr/sbin/nologin", "/bin/false")), None),
        (user_facts(OURS.replace("/usr/sbin/nologin", "/bin/bash")), "login shell /bin/bash"),
        (user_facts(OURS.replace("/usr/sbin/nologin", "")), "login shell ''"),
        (user_facts(OURS.replace("nologin", "\x1b]0;x")), r"login shell '/usr/sbin/\x1b]0;x'"),
        (user_facts(OURS.replace("998", "1001")), "uid 1001 is not from 1 to 999"),
        (user_facts(OURS.replace("998", "0")), "uid 0 is not from 1 to 999"),
        (user_facts(OURS.replace("/var/lib/web", "/home/web")), "home /home/web"),
        (user_facts(OURS, "web docker"), "member of docker"),
        (user_facts(OURS, "disk"), "primary group disk, member of disk"),
        (user_facts(OURS, ""), "primary group unknown"),
        (user_facts(OURS, sudo="1"), "may use sudo"),
        (user_facts(OURS, sudo=""), "may use sudo"),
        (user_facts("web:x:²:998::/var/lib/web:/bin/false"), "its passwd entry cannot be read"),
        (user_facts("web"), "its passwd entry cannot be read"),
        (user_facts(group="web:x:6:"), "group web exists without a user web"),
    ],
)
def test_m11_a_user_that_is_somebody_is_refused(facts: dict[str, str], reason: str | None) -> None:
    said = service_user.judge(HOST, builders.app(), facts)
    assert bool(said) == (reason is not None)
    for each in said:
        assert each.startswith("web-1: ")
        assert str(reason) in each
        assert each.endswith("rename the app, or accept it with `user: web` under the app")
        assert each.isprintable()
    assert service_user.judge(HOST, builders.app(user="web"), facts) == []


@pytest.mark.skipif(shutil.which("getent") is None, reason="no getent here")
@pytest.mark.parametrize("name", ["disk", "shadow", "backup", "root", "nobody", "mail"])
def test_m11_the_systems_own_users_and_groups_are_found(name: str) -> None:
    words = ["sh", "-c", text_of(service_user.question(name, name))]
    output = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    settings: dict[str, Any] = {"package": "x", "target_group": "x", "ports": (5000,)}
    own = builders.app().model_copy(update={"name": name, **settings})
    assert service_user.judge(HOST, own, ownership.parse(output)), output
