"""Two units are compared by their directives, and no value that may be a secret is shown."""

from __future__ import annotations

import pytest

from deploy.difference.unit_text import unified

HEAD = "[Service]\nUser=web\nExecStart=/srv/web/current/web\n"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("", "", []),
        ("MemoryMax=1G\n", "MemoryMax=2G\n", ["-MemoryMax=1G", "+MemoryMax=2G"]),
        ("", "LimitNOFILE=9\n", ["+LimitNOFILE=9"]),
        ("Nice=1\n", "", ["-Nice=1"]),
        # what only says which release it is
        ("Environment=CHANGEOVER_RELEASE=1\n", "Environment=CHANGEOVER_RELEASE=2\n", []),
        # comments, blanks and where lines are broken mean nothing to systemd
        ("# one\nNice=1\n", "\n; two\nNice=\\\n1\n", []),
        ("#Environment=OLD=s3cret\n", "", []),
        # a changed value, and one that is the same
        ("Environment=A=s3cret\n", "Environment=A=hush\n",
         ["-Environment=A=…", "+Environment=A=… (changed)"]),
        ("Environment=A=s3cret B=1\n", 'Environment="A=s3cret"\nEnvironment=B=1\n', []),
        ("", "Environment=A=s3cret\n", ["+Environment=A=…"]),
        ("Environment=A=s3cret\n", "", ["-Environment=A=…"]),
        ('Environment="A=s3cret B=hush"\n', 'Environment="A=s3cret B=other"\n',
         ["-Environment=A=…", "+Environment=A=… (changed)"]),
        ("Environment=A=s3cret \\\n  B=hush\n", "Environment=A=s3cret\n", ["-Environment=B=…"]),
        ("SetCredential=pw:s3cret\n", "SetCredential=pw:hush\n",
         ["-SetCredential=pw:…", "+SetCredential=pw:… (changed)"]),
        # what cannot be read with certainty is hidden as a whole
        ("Environment='A=s3cret\n", "Environment='A=hush\n",
         ["-Environment=…", "+Environment=… (changed)"]),
        ("Environment='A=\\'s3cret x=hush\\' '\n", "", ["-Environment=…"]),
        ("Environment=s3cret\n", "", ["-Environment=…"]),
    ],
)  # fmt: skip
def test_p7_lines_that_differ_are_shown_without_values_of_variables(
    before: str, after: str, expected: list[str]
) -> None:
    found = unified(HEAD + before, HEAD + after)
    assert [line for line in found if line.startswith(("-", "+"))] == expected
    assert not any(secret in line for line in found for secret in ("s3cret", "hush"))


def test_control_values_are_shown_where_that_is_asked_for() -> None:
    old, new = HEAD + "Environment=A=s3cret\n", HEAD + "Environment=A=hush\n"
    found = unified(old, new, shows_values=True)
    assert {"-Environment=A=s3cret", "+Environment=A=hush"} <= {*found}


def test_lines_around_one_that_differs_say_where_it_is() -> None:
    rest = "[Install]\nWantedBy=a\n"
    found = unified(f"{HEAD}Nice=1\n{rest}", f"{HEAD}Nice=2\n{rest}")
    assert found == (
        "@@ -2,5 +2,5 @@",
        " User=web",
        " ExecStart=/srv/web/current/web",
        "-Nice=1",
        "+Nice=2",
        " [Install]",
        " WantedBy=a",
    )
