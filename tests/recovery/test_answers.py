"""What can be decided about a host that failed, and what an option decides by itself."""

from __future__ import annotations

from dataclasses import replace

import builders
import pytest
from run.paper_fleet import made, old

from deploy.errors import DeployError
from deploy.recovery.answers import choices, replanning
from deploy.recovery.answers.choices import FOR_ONE_HOST, Answer, Case, FailureCounts, Standing

RETRY, PUT_BACK, LEAVE_OUT = Answer.RETRY, Answer.PUT_BACK, Answer.LEAVE_OUT
STOP, ROLLBACK = Answer.STOP, Answer.ROLLBACK


@pytest.mark.parametrize(
    ("standing", "answers"),
    [
        (Standing.STAGING, (RETRY, LEAVE_OUT, STOP)),
        (Standing.BACK, (RETRY, LEAVE_OUT, STOP)),
        (Standing.PARTLY, (RETRY, LEAVE_OUT, STOP)),
        (Standing.OUT, (RETRY, PUT_BACK, LEAVE_OUT, STOP)),
        (Standing.NEW, (LEAVE_OUT, STOP)),
        (Standing.GONE, (LEAVE_OUT, STOP)),
        (Standing.UNKNOWN, (LEAVE_OUT, STOP)),
    ],
)
def test_what_is_offered_follows_from_how_the_host_is(
    standing: Standing, answers: tuple[Answer, ...]
) -> None:
    case = Case(standing)
    assert choices.offered(case) == answers
    assert choices.offered(replace(case, may_roll_back=True)) == (*answers, ROLLBACK)
    without = tuple(answer for answer in answers if answer is not PUT_BACK)
    assert choices.offered(replace(case, has_previous=False)) == without


@pytest.mark.parametrize("standing", Standing)
def test_each_standing_can_be_left_as_it_is_and_ended(standing: Standing) -> None:
    assert {LEAVE_OUT, STOP} <= set(choices.offered(Case(standing, has_previous=False)))


NEW, AGAIN, MANY = FailureCounts(0, 1, 1), FailureCounts(1, 1, 1), FailureCounts(0, 2, 1)
BACK, OUT, FIRST = Case(Standing.BACK), Case(Standing.OUT), Case(Standing.OUT, has_previous=False)


@pytest.mark.parametrize(
    ("option", "case", "counts", "answer"),
    [
        (RETRY, BACK, NEW, RETRY),
        (RETRY, OUT, NEW, RETRY),
        (RETRY, BACK, MANY, RETRY),
        (RETRY, BACK, AGAIN, None),
        (RETRY, Case(Standing.GONE), NEW, None),
        (RETRY, Case(Standing.NEW), NEW, None),
        (PUT_BACK, OUT, NEW, PUT_BACK),
        (PUT_BACK, OUT, AGAIN, None),
        (PUT_BACK, FIRST, NEW, None),
        (PUT_BACK, BACK, NEW, LEAVE_OUT),
        (PUT_BACK, BACK, MANY, None),
        (PUT_BACK, Case(Standing.STAGING), NEW, LEAVE_OUT),
        (PUT_BACK, Case(Standing.UNKNOWN), NEW, None),
        (PUT_BACK, Case(Standing.GONE), NEW, None),
        (LEAVE_OUT, BACK, NEW, LEAVE_OUT),
        (LEAVE_OUT, OUT, AGAIN, LEAVE_OUT),
        (LEAVE_OUT, Case(Standing.GONE), NEW, LEAVE_OUT),
        (LEAVE_OUT, BACK, MANY, None),
        (LEAVE_OUT, BACK, FailureCounts(0, 1, 0), None),
    ],
)
def test_an_option_answers_by_itself(
    option: Answer, case: Case, counts: FailureCounts, answer: Answer | None
) -> None:
    assert choices.automatic(option, case, counts) is answer


@pytest.mark.parametrize("option", sorted(FOR_ONE_HOST))
@pytest.mark.parametrize("standing", Standing)
def test_p12_no_option_takes_a_bad_release_through_a_whole_fleet(
    option: Answer, standing: Standing
) -> None:
    """Where more hosts failed than have the new release, no further host begins by itself."""
    answer = choices.automatic(option, Case(standing), FailureCounts(1, 3, 2))
    assert answer is None


def test_a_plan_made_anew_has_a_host_s_own_part_alone() -> None:
    plan = made(old(3), batch=1)
    found = replanning.on_host(plan, "host-2")
    assert {each.host.name for each in (*found.staging, *found.turns)} == {"host-2"}
    assert found.staging
    assert len(found.turns) == 1


def test_a_host_that_the_new_plan_leaves_out_is_not_tried_again() -> None:
    plan = replace(made(old(3), batch=1), left_out={builders.host(2): "no login"})
    with pytest.raises(DeployError, match=r"host-2: no login"):
        replanning.on_host(plan, "host-2")


def test_p6_another_release_than_the_one_that_was_agreed_to_is_refused() -> None:
    plan = made(old(3), batch=1)
    replanning.refuse_other(plan, dict(plan.releases))
    with pytest.raises(DeployError, match=r"the same command would bring web 9 now"):
        replanning.refuse_other(replace(plan, releases={"web": "9"}), plan.releases)
