"""Has failed hosts decided about, and does what was decided before anything more begins.

Asked between batches, when the other hosts of the batch have ended and this one's recovery is over:
while a question is open nothing is drained, and nothing is out of service but what could not be
recovered. The lock's heartbeat and the health polling have threads of their own, and go on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from deploy.errors import DeployError
from deploy.events.question import QuestionAnswered
from deploy.natural_order import natural
from deploy.recovery.answers import choices
from deploy.recovery.answers.answers import Reply
from deploy.recovery.answers.choices import Answer, Case, FailureCounts, Standing
from deploy.run import as_events
from deploy.run.report import WELL, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet

    from deploy.plan.host_plan import HostPlan
    from deploy.plan.plan import Plan
    from deploy.recovery.answers.answers import Answers
    from deploy.recovery.answers.replanning import Replanned
    from deploy.run.batch_gate import BatchGate
    from deploy.run.host_runner import HostRunner
    from deploy.run.progress import Progress
    from deploy.run.report import Failure
    from deploy.steps.fleet import Fleet

    Work = list[tuple[HostPlan, Callable[[HostPlan], None]]]

STANDINGS = {
    Outcome.BACK: Standing.BACK,
    Outcome.PARTLY: Standing.PARTLY,
    Outcome.DONE: Standing.NEW,
    Outcome.RESTARTED: Standing.NEW,
    Outcome.ROLLED_BACK: Standing.NEW,
    Outcome.OUT: Standing.OUT,
    Outcome.GONE: Standing.GONE,
    Outcome.UNKNOWN: Standing.UNKNOWN,
}


@dataclass
class FailedHosts:
    """Decides, before each batch and after the last one, whether more may begin.

    Attributes:
        plan: What is carried out.
        fleet: Its seams.
        progress: How far it came.
        runner: What carries out a host's plan.
        gate: What a host needs before it goes out.
        stage: Stages a host, and begins early what may.
        together: Runs acts in threads of their own until they have ended.
        answers: Where decisions come from; None where the policy alone decides.
        replanned: Hosts, by name, for which a later plan was made: what the first plan still
            has for them no longer fits.
    """

    plan: Plan
    fleet: Fleet
    progress: Progress
    runner: HostRunner
    gate: BatchGate
    stage: Callable[[HostPlan], None]
    together: Callable[[Work], None]
    answers: Answers | None = None
    replanned: set[str] = field(default_factory=set)
    _tries: Counter[str] = field(default_factory=Counter)
    _notes: dict[str, str] = field(default_factory=dict)

    def may_go_on(self, done: int, spared: AbstractSet[str] = frozenset()) -> bool:
        """Whether more may begin; done: so many batches had their turn.

        Where more hosts failed than the plan tolerates, that is as it is decided for each of them.
        spared: hosts, by name, that do not count yet.
        """
        while self.progress.is_spent(spared):
            host = self._due(done, spared)
            if host is None or not self._decided(host, done):
                return False
        self.progress.settle(self.progress.failed_hosts - spared)
        return not self._is_over

    @property
    def _is_over(self) -> bool:
        """Whether the operator wants an end, or the lock is lost."""
        return self.fleet.stop.is_set()

    def _due(self, done: int, spared: AbstractSet[str]) -> str | None:
        """The next host to decide about; None where the policy decides about all of them."""
        if self.answers is None or self.progress.is_out_of_time:
            return None
        self.fleet.crew.finish()  # what goes on aside may fail, too, and changes what a look shows
        if self._is_over:
            return None
        failed = self.progress.failed_hosts - spared - self.progress.settled
        # Where a batch could not begin, no host failed: the policy answers.
        if not all(self._standing(host, done) for host in failed):
            return None
        return min(failed, key=natural, default=None)

    def _standing(self, host: str, done: int) -> Standing | None:
        outcome = self.progress.outcomes[host]
        if outcome is Outcome.WAITING:
            return None if done else Standing.STAGING
        return STANDINGS.get(outcome)

    def _decided(self, host: str, done: int) -> bool:
        """Have it decided about a host, and do that; whether the rollout may go on from there."""
        standing = self._standing(host, done)
        if self.answers is None or standing is None:
            return False
        case = Case(
            standing,
            has_previous=any(each.good for each in self._turns(host)),
            may_roll_back=self.plan.verb == "Deploy" and bool(self.progress.deployed),
        )
        reply = self._reply(self.answers, host, case)
        if reply is None:
            return False
        self.progress.listen(QuestionAnswered(host, reply.answer or "", reply.by))
        match reply.answer:
            case Answer.RETRY if standing is Standing.STAGING:
                self._stage_again(host)
            case Answer.RETRY:
                self._try_again(self.answers, host)
            case Answer.PUT_BACK:
                self._put_back(self.answers, host)
            case Answer.LEAVE_OUT:
                self.progress.settle({host})
            case None:
                return False
            case ending:
                self.progress.answer = ending
                return False
        return not self._is_over

    def _reply(self, answers: Answers, host: str, case: Case) -> Reply | None:
        """What is decided about a host; None where only the policy does."""
        if answers.option is not None:
            names = {name for name, _ in self.progress.deployed} - self.progress.failed_hosts
            counts = FailureCounts(self._tries[host], len(self.progress.failed_hosts), len(names))
            self._tries[host] += 1
            answer = choices.automatic(answers.option, case, counts)
            return Reply(answer, f"--on-failure {answers.option}") if answer else None
        if answers.ask is None:
            return None
        asked = as_events.question_asked(
            self._failure(host),
            str(self.progress.outcomes[host]),
            self.gate.in_service(self._number(host)),
            choices.offered(case),
            min(answers.limit_seconds, self.gate.seconds_left),
            answers.policy,
            self._notes.pop(host, ""),
        )
        self.progress.listen(asked)
        return answers.ask(asked, self.fleet.stop.is_set)

    def _failure(self, host: str) -> Failure:
        """A host's last failure."""
        return next(f for f in reversed(self.progress.failures) if f.host.name == host)

    def _turns(self, host: str) -> list[HostPlan]:
        return [each for batch in self.plan.batches for each in batch if each.host.name == host]

    def _number(self, host: str) -> int:
        """The number of the batch in which a host leaves the load balancer: of its last turn."""
        batches = enumerate(self.plan.batches, start=1)
        return max(
            (n for n, batch in batches if any(p.host.name == host for p in batch)), default=1
        )

    def _stage_again(self, host: str) -> None:
        """Do a host's staging again, which leaves what serves as it is."""
        parts = [each for each in self.plan.staging if each.host.name == host]
        self._over(host, [(each, self.stage) for each in parts])

    def _try_again(self, answers: Answers, host: str) -> None:
        """Take a host through what the same command would plan for it now."""
        found = self._planned(partial(answers.again, host), host, "tried again")
        if found and self._admits(host, found):
            act = partial(self._work, host, found)
            self.replanned.add(host)
            self._over(host, [(each, act) for each in (*found.staging, *found.turns)[:1]])
            if not (found.turns or host in self.progress.failed_hosts or self._is_over):
                self.runner.ended(host, Outcome.CURRENT)

    def _put_back(self, answers: Answers, host: str) -> None:
        """Return a host to what it ran before, as a repair does; it still counts as failed."""
        found = self._planned(partial(answers.back, host), host, "put back")
        if found and not found.turns:
            self._notes[host] = "it cannot be put back: nothing there could be started"
        elif found and self._admits(host, found):
            with self.progress.returning(host):
                self.together([(found.turns[0], partial(self._work, host, found))])
            if self.progress.outcomes[host] is not Outcome.OUT:
                self.progress.settle({host})

    def _planned(self, plan: Callable[[], Replanned], host: str, what: str) -> Replanned | None:
        """What is to be done, from a look at the fleet; None where nothing can be."""
        self.fleet.tell(host, "looking at the fleet")
        try:
            return plan()
        except DeployError as error:
            self._notes[host] = f"it cannot be {what}: {error}"
            self.fleet.remark(host, self._notes[host])
            return None

    def _admits(self, host: str, found: Replanned) -> bool:
        """Whether there is time and capacity for a host to go out."""
        if not found.turns:
            return True
        with self.fleet.crew.turn(host):
            return self.gate.admits(self._number(host), lambda: list(found.turns))

    def _work(self, host: str, found: Replanned, _: HostPlan) -> None:
        """Do all of a host's part; where a step fails, its recovery is as in its own turn."""
        self.fleet.forget(host)
        if not all(self.runner.stage(each) for each in found.staging):
            return
        for each in found.turns:
            if not self.runner.switch(each):
                return
            self.runner.empty(each)
        for each in found.turns[-1:]:
            is_lost = self.runner.lost.is_set()
            outcome = Outcome.LEFT if is_lost else self.progress.reached(each.host)
            self.runner.ended(host, outcome)

    def _over(self, host: str, work: Work) -> None:
        """Do something anew: what failed before counts no more, unless this was not done."""
        before = self.progress.reopen(host)
        self.together(work)
        is_new = host in self.progress.failed_hosts
        is_whole = self.progress.outcomes[host] in WELL | {Outcome.GONE}
        if self._is_over and not (is_new or is_whole):
            for failure in before:
                self.progress.failed(failure)
