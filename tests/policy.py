"""The AWS policy of docs/permissions.md."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[1] / "docs" / "permissions.md"


def shown() -> dict[str, Any]:
    """The policy, as IAM takes it."""
    found = re.search(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    policy: dict[str, Any] = json.loads(found[1])
    return policy


def statements() -> dict[str, list[str]]:
    """Each statement's actions, such as `ec2:DescribeInstances`, by the statement's Sid."""
    return {each["Sid"]: each["Action"] for each in shown()["Statement"]}
