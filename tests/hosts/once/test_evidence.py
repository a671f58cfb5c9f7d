"""Whether a command was run is what a majority shows; in doubt a person is asked, never a host."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.hosts.once.evidence import Evidence, Standing
from deploy.hosts.once.record import OnceRecord, State

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN = "ab" * 16


def record(state: State, run: str = RUN, at: str = "2026-11-29T12:00:00+00:00") -> OnceRecord:
    return OnceRecord(state, run, "host-1", at, "ana@laptop")


def evidence(hosts: str) -> Evidence:
    """What hosts show, a letter each.

    s: started; d: done; k: skipped; n: none; b: none, and never had a release; x: no answer.
    """
    names = {f"host-{number}": letter for number, letter in enumerate(hosts, start=1)}
    states = {"s": State.STARTED, "d": State.DONE, "k": State.SKIPPED}
    return Evidence(
        len(hosts),
        {name: record(states[letter]) for name, letter in names.items() if letter in states},
        frozenset(name for name, letter in names.items() if letter == "b"),
        {name: f"{name}: silent" for name, letter in names.items() if letter == "x"},
    )


@pytest.mark.parametrize(
    ("hosts", "standing"),
    [
        ("n", Standing.NOT_RUN),
        ("bbb", Standing.NOT_RUN),  # a first install
        ("nnnn", Standing.NOT_RUN),
        ("ddd", Standing.DONE),
        ("ddn", Standing.DONE),
        ("dkn", Standing.DONE),
        ("ddx", Standing.DONE),
        ("kkkk", Standing.DONE),
        ("sss", Standing.STARTED),
        ("ssn", Standing.STARTED),
        ("dss", Standing.STARTED),  # killed while done was written
        ("d", Standing.DONE),
        ("s", Standing.STARTED),
        ("sn", Standing.STARTED),  # of two, none can outvote the other
        ("snx", Standing.STARTED),  # the silent one may be of its majority
        ("nnx", Standing.NOT_RUN),
        ("nxx", Standing.UNKNOWN),
        ("x", Standing.UNKNOWN),
        ("nx", Standing.UNKNOWN),
        ("dddbbb", Standing.DONE),  # three hosts are new since, and bring up the same release
        ("dddnnn", Standing.STARTED),  # these could know, and do not: a person decides
        ("sssbbbbb", Standing.STARTED),
    ],
)
def test_what_hosts_show_decides(hosts: str, standing: Standing) -> None:
    assert evidence(hosts).standing is standing


@pytest.mark.parametrize("lie", "sdk")
@pytest.mark.parametrize("others", ["nn", "nnn", "nnnn", "bb", "bbbb"])
def test_p12_one_host_of_three_and_more_decides_nothing(lie: str, others: str) -> None:
    assert evidence(lie + others).standing is Standing.NOT_RUN


@pytest.mark.parametrize("lie", "sn")
def test_p12_one_host_cannot_hide_that_it_is_done(lie: str) -> None:
    assert evidence(f"{lie}dd").standing is Standing.DONE


@pytest.mark.parametrize("size", range(1, 12))
@pytest.mark.parametrize("down", [0, 1, 2, 3])
def test_p4_what_a_majority_has_as_started_is_never_taken_for_not_run(size: int, down: int) -> None:
    """Whichever hosts were written to, and whichever of all answer now."""
    majority = size // 2 + 1
    if size - down < majority:
        return
    for first in range(size - majority + 1):  # those written to: some in a row
        shown = ["s" if first <= n < first + majority else "n" for n in range(size)]
        for gone in range(size - down + 1):
            seen = ["x" if gone <= n < gone + down else each for n, each in enumerate(shown)]
            assert evidence("".join(seen)).standing is Standing.STARTED, (shown, seen)


def test_the_record_is_what_most_hosts_show_and_then_the_newest() -> None:
    old, new = record(State.DONE), record(State.STARTED, "cd" * 16, "2026-11-30T12:00:00+00:00")
    for records, expected in (([old, old, new], old), ([old, new], new), ([], None)):
        assert _of(records).record == expected


def _of(records: Sequence[OnceRecord]) -> Evidence:
    return Evidence(3, {f"host-{number}": each for number, each in enumerate(records)})
