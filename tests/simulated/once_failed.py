"""Stories that once failed, by hand the shortest in which it shows, so that each is told again."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.recovery.answers.choices import Answer
from simulated.builds import Build, Kind
from simulated.faults import Command, Fault, Strike
from simulated.liars import Liar, Lie
from simulated.world import Fleets


@dataclass(frozen=True)
class Story:
    """A story that once failed: what happens in it, in words, its world and its commands."""

    name: str
    given: Fleets
    script: tuple[Command, ...]

    def __str__(self) -> str:
        return self.name


FRESH = Fleets(
    hosts=1, begin="fresh", surge=True, groups=2, rollout=(("batch", 1), ("soak_seconds", 8.0))
)

ONCE_FAILED = (
    # P2 was judged of first installs as if another slot had served on their hosts before.
    Story(
        "a first install is healthy although its registration failed",
        Fleets(hosts=1, apps=2, begin="fresh", surge=True),
        (Command("deploy", strikes=(Strike(Fault.COMMAND, "RegisterTarget", at=3, nth=1),)),),
    ),
    Story(
        "a first install is healthy again after its soak failed",
        FRESH,
        (Command("deploy", strikes=(Strike(Fault.SICK, "Soak", at=2, seconds=3.0),)),),
    ),
    # A repair left the unit running, and starting at each boot.
    Story(
        "a first install is killed before its proof",
        Fleets(begin="fresh"),
        (Command("deploy", strikes=(Strike(Fault.CRASH, "ProveRelease"),)),),
    ),
    Story(
        "a first install is killed before it starts",
        Fleets(begin="fresh", groups=2),
        (Command("deploy", strikes=(Strike(Fault.CRASH, "StartUnit", at=1),)),),
    ),
    # Without a look, a host on which a repair ended such a unit counted as deployed.
    Story(
        "a unit that never served is ended, and nobody can look afterwards",
        Fleets(hosts=1, begin="fresh"),
        (
            Command("deploy", strikes=(Strike(Fault.CRASH, "ProveRelease"),)),
            Command("repair", strikes=(Strike(Fault.DOWN, "RetireUnit", seconds=300.0),)),
        ),
    ),
    # It was given up, registered, while another host was worked on.
    Story(
        "a target becomes healthy after the wait for it has failed",
        Fleets(hosts=3, rollout=(("batch", 2),)),
        (
            Command("deploy", strikes=(Strike(Fault.CRASH, "WaitDrained", host=2, at=2),), seed=1),
            Command(
                "repair",
                strikes=(
                    Strike(Fault.SICK, "WaitHealthy", seconds=25.0),
                    Strike(Fault.DARK, "ForgetOut", host=2, seconds=25.0),
                ),
                after=500.0,
            ),
        ),
    ),
    # P12 was judged of a rollback that AWS could not be asked for.
    Story(
        "a host lies to a rollback while AWS is down",
        Fleets(rollout=(("batch", 1), ("max_failures", 1))),
        (
            Command(
                "deploy", strikes=(Strike(Fault.DOWN, "RecordDeployed", host=2, seconds=300.0),)
            ),
            Command("rollback", liar=Liar(2, Lie.SLOW)),
        ),
    ),
    # The look at the end took minutes on a host that is slow; another one was well again meanwhile.
    Story(
        "a host is well again while the look at the end still goes on",
        Fleets(hosts=2, surge=True, rollout=(("batch", 1), ("min_in_service", 0))),
        (
            Command(
                "deploy",
                strikes=(
                    Strike(Fault.COMMAND, "DeregisterTarget", host=1, seconds=3.0),
                    Strike(Fault.COMMAND, "DeregisterTarget", host=1, seconds=3.0),
                    Strike(Fault.SICK, "UploadRelease", host=2, seconds=300.0),
                ),
                seed=1,
                liar=Liar(1, Lie.SLOW, 0),
            ),
        ),
    ),
    Story(
        "another target is not healthy in time beside a host that is slow",
        Fleets(
            hosts=3,
            groups=2,
            surge=True,
            keep_releases=2,
            rollout=(
                ("batch", 3),
                ("min_in_service", 0),
                ("drain", "quiet"),
                ("on_failure", "stop"),
                ("soak_seconds", 3.0),
            ),
        ),
        (
            Command("deploy", Build("2.0.0-222222222222", 1)),
            Command("deploy", Build("3.0.0-333333333333", 0), seed=30, liar=Liar(1, Lie.SLOW, 0)),
        ),
    ),
    # A release that most hosts keep no more was chosen: which one is, no host alone decides.
    Story(
        "a host that lies hides which release the others keep",
        Fleets(
            hosts=3,
            keep_releases=2,
            delay_seconds=30.0,
            rollout=(
                ("batch", 1),
                ("soak_seconds", 3.0),
                ("min_in_service", 0),
                ("drain", "quiet"),
                ("max_failures", 1),
            ),
        ),
        (
            Command("deploy", Build("3.0.0-333333333333", 0)),
            Command(
                "deploy",
                Build("4.0.0-444444444444", 0),
                strikes=(
                    Strike(Fault.COMMAND, "DeregisterTarget", host=1, seconds=3.0),
                    Strike(Fault.COMMAND, "DeregisterTarget", host=1, seconds=3.0),
                ),
            ),
            Command("deploy", Build("3.0.0-333333333333", 0)),
            Command("rollback", Build("3.0.0-333333333333", 0), liar=Liar(2, Lie.GARBAGE, 0)),
        ),
    ),
    # Who answered `stop` was asked again at the end, and the host that had not begun was forgotten.
    Story(
        "by windows, the answer that ends a deploy is asked for once",
        Fleets(hosts=2, rollout=(("window", 1),)),
        (
            Command(
                "deploy",
                strikes=(Strike(Fault.COMMAND, "DeregisterTarget"),) * 4,
                answers=(Answer.PUT_BACK, Answer.RETRY),
            ),
        ),
    ),
    # A host that had failed and went dark did not count for what must stay in service.
    Story(
        "finished hosts do not go back while a dark one is out",
        Fleets(
            hosts=6,
            kinds=(Kind.GOOD, Kind.GOOD, Kind.GOOD, Kind.RESTLESS),
            rollout=(("batch", 1), ("on_failure", "rollback"), ("max_failures", "34%")),
        ),
        (
            Command(
                "deploy",
                strikes=(
                    Strike(Fault.DARK, "RegisterTarget", host=2, seconds=300.0),
                    Strike(Fault.COMMAND, "DeregisterTarget", host=3),
                ),
            ),
        ),
    ),
    # What was started beside it went on running there, and the host counted as unknown.
    Story(
        "a defect of ours in the last look at what was started early",
        Fleets(hosts=2, apps=2, surge=True, rollout=(("batch", 2),)),
        (
            Command(
                "deploy",
                strikes=(Strike(Fault.DEFECT, "WaitHealthy", seconds=3.0),),
                seed=10,
            ),
        ),
    ),
    # The second deploy cleared the note of the first, whose release was out for its health.
    Story(
        "a note stays where a second deploy could not begin",
        Fleets(
            hosts=1,
            begin="legacy",
            kinds=(Kind.REJECTED, Kind.GOOD, Kind.GOOD, Kind.GOOD),
            rollout=(("batch", 1), ("min_in_service", 0)),
        ),
        (
            Command(
                "deploy",
                Build("3.0.0-333333333333"),
                strikes=(Strike(Fault.COMMAND, "DeregisterTarget", nth=1),),
            ),
            Command(
                "deploy",
                Build("3.0.0-333333333333"),
                strikes=(Strike(Fault.COMMAND, "DeregisterTarget"),),
            ),
        ),
    ),
    # Each ended with exit code 0, and left the third host on a release of its own.
    Story(
        "a rollback to a release that failed elsewhere leaves a host on another one",
        Fleets(
            hosts=3,
            apps=2,
            keep_releases=5,
            kinds=(Kind.GOOD, Kind.GOOD, Kind.GOOD, Kind.SILENT),
            rollout=(("batch", 1), ("min_in_service", 0), ("max_failures", 1)),
        ),
        (
            Command("deploy", strikes=(Strike(Fault.COMMAND, "DeregisterTarget", host=3),) * 2),
            Command("deploy", Build("2.0.0-222222222222", 1)),
            Command("rollback"),
        ),
    ),
    Story(
        "a rollback to a release that a host never got leaves it on an older one",
        Fleets(
            hosts=3,
            keep_releases=5,
            rollout=(("batch", 1), ("min_in_service", 0), ("max_failures", 1)),
        ),
        (
            Command("deploy", strikes=(Strike(Fault.COMMAND, "DeregisterTarget", host=3),)),
            Command(
                "deploy",
                Build("4.0.0-444444444444"),
                strikes=(Strike(Fault.COMMAND, "DeregisterTarget", host=3),),
            ),
            Command("rollback"),
        ),
    ),
    # A repair found nothing to go back to, as neither a record nor a note told of the release.
    Story(
        "the first release after an adoption is not recorded, and is sick later",
        Fleets(
            hosts=1,
            begin="legacy",
            kinds=(Kind.LATE, Kind.GOOD, Kind.GOOD, Kind.GOOD),
            surge=True,
        ),
        (Command("deploy", strikes=(Strike(Fault.COMMAND, "RecordDeployed"),)),),
    ),
    # P12 was judged of a refusal that the marks of another host had a part in.
    Story(
        "a host lies, and another one has marked what the third goes back to",
        Fleets(
            hosts=3,
            kinds=(Kind.GOOD, Kind.GOOD, Kind.GOOD, Kind.SILENT),
            rollout=(("batch", 1), ("min_in_service", 0), ("max_failures", 1)),
        ),
        (
            Command("deploy"),
            Command("deploy", Build("2.0.0-222222222222", 1)),
            Command("rollback", liar=Liar(1, Lie.GARBAGE, 4)),
        ),
    ),
    # Repair waited for health in a group that the target had left, and so it stayed out of it.
    Story(
        "an adoption is killed between a target's two groups",
        Fleets(groups=2, begin="legacy"),
        (Command("deploy", strikes=(Strike(Fault.CRASH, "DeregisterTarget", at=3),)),),
    ),
    # A repair that failed on one host did not end what was left beside the slot of another.
    Story(
        "both slots of two hosts run a release that fails in service",
        Fleets(hosts=2, surge=True, kinds=(Kind.LATE, Kind.GOOD, Kind.GOOD, Kind.GOOD)),
        (
            Command("deploy"),
            Command("deploy"),
            Command(
                "deploy",
                strikes=(
                    Strike(Fault.COMMAND, "DeregisterTarget"),
                    Strike(Fault.COMMAND, "DeregisterTarget", host=2, at=1),
                ),
            ),
        ),
    ),
    # Hosts in one of two groups went first, by their names, before those in none.
    Story(
        "a deploy is killed while a host is between its groups, and another one is out",
        Fleets(hosts=4, groups=2, rollout=(("batch", 3),)),
        (
            Command(
                "deploy",
                strikes=(
                    Strike(Fault.COMMAND, "DeregisterTarget"),
                    Strike(Fault.CRASH, "DeregisterTarget", host=2, at=3),
                ),
                seed=2,
            ),
        ),
    ),
    # It was taken out to get what it ran already, after its other slot had been ended.
    Story(
        "an adoption by surge goes back on a host whose old target did not leave",
        Fleets(
            hosts=3,
            begin="legacy",
            kinds=(Kind.GOOD, Kind.LATE, Kind.GOOD, Kind.GOOD),
            surge=True,
            migrates=True,
            rollout=(("batch", 1), ("min_in_service", 0), ("on_failure", "rollback")),
        ),
        (
            Command(
                "deploy",
                Build("3.0.0-333333333333", 1),
                strikes=(Strike(Fault.COMMAND, "DeregisterTarget", at=1),),
            ),
        ),
    ),
    # It was recorded before it fell sick, so nothing older counted as what to go back to.
    Story(
        "a release that is sick after its record is deployed again, and fails",
        Fleets(
            hosts=3,
            apps=2,
            delay_seconds=30.0,
            kinds=(Kind.LATE, Kind.GOOD, Kind.GOOD, Kind.GOOD),
            rollout=(
                ("batch", 2),
                ("drain", "quiet"),
                ("on_failure", "stop"),
                ("soak_seconds", 8.0),
                ("min_in_service", 0),
            ),
        ),
        (
            Command("deploy"),
            Command("deploy", seed=2, answers=(Answer.RETRY,)),
        ),
    ),
)
