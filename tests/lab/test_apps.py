"""What users deploy: any form of package, other units, units of before, several apps at once."""

from __future__ import annotations

import re

import pytest

from lab.aws import short_name
from lab.fleet import Lab
from lab.load import MODEST_RATE, Load
from lab.project import ROOT, Project, set_delay

pytestmark = pytest.mark.hosts(2)


def test_a_changed_setting_alone_is_deployed_and_what_is_current_is_left_alone(
    project: Project, lab: Lab
) -> None:
    project.install("1.0.0")
    seen = lab.events()[-1]["seq"]
    same = project.deploy("1.0.0")
    assert same.code == 0, same.output
    assert "Every host is current: nothing is changed." in same.output
    assert lab.events(seen) == []

    project.web["environment"] = {"GREETING": "good morning"}
    project.configure()
    ran = project.deploy("1.0.0")
    assert ran.code == 0, ran.output
    for host in lab.hosts:
        pid = lab.shell(host, "systemctl show web@5000.service -p MainPID --value").strip()
        environ = lab.shell(host, f"tr '\\0' '\\n' < /proc/{pid}/environ")
        assert "GREETING=good morning" in environ.splitlines()
    assert project.status()["well"], str(project.status())


def test_a_partly_deployed_fleet_gets_only_the_rest(project: Project) -> None:
    project.install("1.0.0")
    project.build("2.0.0")
    first = project.status()["hosts"][0]["host"]
    assert project.deploy("2.0.0", "--hosts", first).code == 0
    assert project.inv("status", "--env", "lab").code == 4
    ran = project.deploy("2.0.0", "--skip-host", first)
    assert ran.code == 0, ran.output
    assert not any(step.startswith(f"{first}: deregister") for step in ran.steps())
    assert set(project.releases().values()) == {"2.0.0"}


@pytest.mark.parametrize("form", ["windows zip", "nupkg", "tar.gz", "folder"])
def test_every_form_of_package_is_deployed(project: Project, lab: Lab, form: str) -> None:
    if form == "windows zip":
        project.build("1.0.0", windows=True)
    else:
        project.build("1.0.0", form=form)
    ran = project.deploy("1.0.0", "--batch", "100%")
    assert ran.code == 0, ran.output
    modes = lab.shell(
        lab.hosts[0],
        "cd /srv/web/slots/5000/ && stat -c '%a %U:%G %n' web version.txt wwwroot wwwroot/css",
    )
    assert modes.splitlines() == [
        "750 root:web web",
        "640 root:web version.txt",
        "750 root:web wwwroot",
        "750 root:web wwwroot/css",
    ]


def test_a_notify_unit_is_started_when_it_says_so(project: Project, lab: Lab) -> None:
    project.web["type"] = "notify"
    project.configure()
    project.install("1.0.0", notify=True, start_seconds=1)
    shown = lab.shell(lab.hosts[0], "systemctl show web@5000.service -p Type -p ActiveState")
    assert set(shown.split()) == {"Type=notify", "ActiveState=active"}


def test_a_users_template_is_used_and_a_misspelt_key_is_refused_before_a_drain(
    project: Project, lab: Lab
) -> None:
    own = (ROOT / "templates" / "service.j2").read_text()
    template = project.folder / "own.j2"
    template.write_text(own.replace("[Service]", "[Service]\nNice=5"))
    project.web["template"] = "own.j2"
    project.configure()
    project.install("1.0.0")
    assert lab.shell(lab.hosts[0], "systemctl show web@5000.service -p Nice").strip() == "Nice=5"

    template.write_text(own.replace("[Service]", "[Service]\nNicce=5"))
    seen = lab.events()[-1]["seq"]
    ran = project.deploy("1.0.0")
    assert ran.code == 1, ran.output
    assert "Nicce" in ran.output
    assert "web@5000.service" in ran.output
    assert lab.events(seen) == [], "something left the load balancer"
    assert project.status()["well"], str(project.status())


def test_two_apps_on_the_same_hosts_are_deployed_by_one_command(project: Project, lab: Lab) -> None:
    project.settings["deploy"]["apps"]["admin"] = project.web | {
        "package": "packages/admin.*",
        "command": "admin --port {port}",
        "ports": [5100],
        "target_group": "admin-lab",
    }
    project.configure()
    project.build("1.0.0")
    project.build("1.5.0", name="admin")
    ran = project.inv("deploy", "--env", "lab", "--batch", "100%", "--yes")
    assert ran.code == 0, ran.output
    project.build("2.0.0")
    project.build("2.5.0", name="admin")
    with (
        Load(lab.url("web"), rate=MODEST_RATE) as web,
        Load(lab.url("admin"), rate=MODEST_RATE) as admin,
    ):
        ran = project.inv("deploy", "--env", "lab", "--yes")
    assert ran.code == 0, ran.output
    assert web.result.failed == 0, web.result.failures
    assert admin.result.failed == 0, admin.result.failures
    found = {(row["app"], row["release"].partition("-")[0]) for row in project.status()["hosts"]}
    assert found == {("web", "2.0.0"), ("admin", "2.5.0")}


def put(lab: Lab, host: str, path: str, text: str) -> None:
    lab.shell(host, f"cat > {path} <<'THE-END'\n{text}\nTHE-END")


def test_a_unit_of_before_is_adopted_without_a_lost_request(legacy: Project, lab: Lab) -> None:
    legacy.build("1.0.0")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = legacy.deploy("1.0.0")
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    for host in lab.hosts:
        shown = lab.shell(host, "systemctl is-enabled legacy.service || true")
        assert shown.strip() == "disabled"
    assert set(legacy.releases().values()) == {"1.0.0"}


def test_the_plan_shows_what_changes_and_no_value_of_a_variable(project: Project) -> None:
    """By the manifests and units that lie on the hosts, for a deploy and for its rollback."""
    project.web["environment"] = {"TOKEN": "s3cret"}
    project.configure()
    project.install("1.0.0")
    project.web["environment"] = {"TOKEN": "hush"}
    project.web["limits"] = {"LimitNOFILE": 4096}
    project.configure()
    project.build("2.0.0", size_mb=1)
    planned = project.deploy("2.0.0", "--dry-run", "--full")
    assert planned.code == 0, planned.output
    assert re.search(r"web on .*: 1\.0\.0-\w+ → 2\.0\.0-\w+", planned.output)
    assert re.search(r"\d+ files? (added|changed) \(", planned.output)
    for line in ("+Environment=TOKEN=… (changed)", "+LimitNOFILE=4096"):
        assert line in planned.output.splitlines()
    assert "not known" not in planned.output
    assert project.deploy("2.0.0").code == 0
    back = project.inv("rollback", "--env", "lab", "--app", "web", "--dry-run")
    assert back.code == 0, back.output
    assert re.search(r"web  2\.0\.0-\w+ → 1\.0\.0-\w+", back.output)
    assert "nothing to send: the release is there" in back.output
    assert "not known" not in back.output
    for output in (planned.output, back.output):
        assert "s3cret" not in output
        assert "hush" not in output


def test_p1_a_fleet_is_measured_before_its_first_deploy(legacy: Project, lab: Lab) -> None:
    """By the unit that the app replaces, which is not stopped, and nothing is deployed."""
    set_delay(lab, "web-lab", 6)
    host = short_name(lab.hosts[0].name)
    trace = str(legacy.folder / "trace.json")
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        words = ("observe", "--env", "lab", "--app", "web", "--host", host, "--yes")
        ran = legacy.inv(*words, "--trace", trace)
    assert ran.code == 0, ran.output
    assert load.result.failed == 0, load.result.failures
    assert "prove legacy.service: GET :5000/health gives 200" in ran.output
    for each in lab.hosts:
        assert lab.shell(each, "systemctl is-active legacy.service").strip() == "active"
    assert set(lab.health("web-lab").values()) == {"healthy"}


def test_a_failed_adoption_gives_the_unit_of_before_its_place_back(
    legacy: Project, lab: Lab
) -> None:
    legacy.build("1.0.0", crash_at_once=True)
    with Load(lab.url("web"), rate=MODEST_RATE) as load:
        ran = legacy.deploy("1.0.0")
    assert ran.code == 1, ran.output
    assert load.result.failed == 0, load.result.failures
    assert "start legacy.service again" in ran.output
    for host in lab.hosts:
        states = lab.shell(
            host, "systemctl is-active legacy.service; systemctl is-enabled legacy.service"
        )
        assert states.split() == ["active", "enabled"]
    assert set(lab.health("web-lab").values()) == {"healthy"}


def test_an_environment_file_reaches_the_service_and_must_be_private(
    project: Project, lab: Lab
) -> None:
    for host in lab.hosts:
        put(lab, host.name, "/etc/web.env", "TOKEN=s3cret")
    project.web["environment_file"] = "/etc/web.env"
    project.configure()
    project.build("1.0.0")
    ran = project.deploy("1.0.0", "--batch", "100%")
    assert ran.code == 2, ran.output
    assert "chmod 600 /etc/web.env" in ran.output
    for host in lab.hosts:
        lab.shell(host, "chmod 600 /etc/web.env")
    ran = project.deploy("1.0.0", "--batch", "100%")
    assert ran.code == 0, ran.output
    assert "s3cret" not in ran.output
    pid = lab.shell(lab.hosts[0], "systemctl show web@5000.service -p MainPID --value").strip()
    assert "TOKEN=s3cret" in lab.shell(lab.hosts[0], f"tr '\\0' '\\n' < /proc/{pid}/environ")


def test_the_service_cannot_write_where_it_should_not(project: Project, lab: Lab) -> None:
    """The control of the sandbox in our own unit: its own state folder is its only place."""
    project.install("1.0.0")
    inside = (
        "pid=$(systemctl show web@5000.service -p MainPID --value); "
        "nsenter -t $pid -m setpriv --reuid web --regid web --clear-groups "
        "sh -c 'touch /srv/web/current/x || echo refused; touch /var/lib/web/x && echo written'"
    )
    assert lab.shell(lab.hosts[0], inside + " 2>/dev/null").split() == ["refused", "written"]
