"""The matcher reads what a target group says, and refuses the rest with a clear word."""

from __future__ import annotations

import pytest

from deploy.errors import BadInput
from deploy.settings import success_codes


@pytest.mark.parametrize(
    ("text", "accepted", "refused"),
    [
        ("200", [200], [199, 201, 404, 503]),
        ("200-299", [200, 204, 299], [199, 300]),
        ("200,302", [200, 302], [201, 301, 303]),
        ("200-204, 301", [200, 204, 301], [205, 300]),
        ("499", [499], [498, 500]),
    ],
)
def test_matches_what_the_target_group_would(
    text: str, accepted: list[int], refused: list[int]
) -> None:
    read = success_codes.HTTP.parse(text)
    assert [read.matches(code) for code in accepted] == [True] * len(accepted)
    assert [read.matches(code) for code in refused] == [False] * len(refused)


@pytest.mark.parametrize("text", ["200", "200-299", "200,302", "200-204,301"])
def test_prints_as_it_was_written(text: str) -> None:
    assert str(success_codes.HTTP.parse(text)) == text
    assert success_codes.parse(text) == success_codes.HTTP.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no status code"),
        ("ok", "'ok' is no status code"),
        ("200,", "'' is no status code"),
        ("2xx", "no status code"),
        ("20", "no status code"),
        ("200-", "no status code"),
        ("299-200", "the lower code first"),
        ("500", "between 200 and 499"),
        ("200-599", "between 200 and 499"),
        ("100", "between 200 and 499"),
        ("२००", "no status code"),
    ],
)
def test_refuses_what_no_target_group_takes(text: str, said: str) -> None:
    with pytest.raises(BadInput, match="matcher") as refusal:
        success_codes.HTTP.parse(text)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "accepted", "refused"),
    [
        ("12", [12], [0, 11, 13, 200]),
        ("0-99", [0, 12, 99], [100]),
        ("0, 12", [0, 12], [1, 2]),
    ],
)
def test_matches_what_a_grpc_group_would(
    text: str, accepted: list[int], refused: list[int]
) -> None:
    for read in (success_codes.GRPC.parse(text), success_codes.parse(text)):
        assert [read.matches(code) for code in accepted] == [True] * len(accepted)
        assert [read.matches(code) for code in refused] == [False] * len(refused)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "'' is no gRPC code; write codes and ranges like 12, 0-99 or 0,12"),
        ("100", "'100' is no gRPC code"),
        ("200", "'200' is no gRPC code"),
        ("12,", "'' is no gRPC code"),
        ("99-0", "between 0 and 99, the lower code first"),
        ("OK", "no gRPC code"),
    ],
)
def test_refuses_what_no_grpc_group_takes(text: str, said: str) -> None:
    with pytest.raises(BadInput, match="matcher") as refusal:
        success_codes.GRPC.parse(text)
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "kind"),
    [("20x", "status code"), ("", "status code"), ("12,200", "code"), ("99-0", "between 0 and 99")],
)
def test_settings_have_codes_of_one_kind(text: str, kind: str) -> None:
    with pytest.raises(BadInput, match=kind):
        success_codes.parse(text)
