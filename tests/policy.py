"""The AWS policy of docs/permissions.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

PAGE = Path(__file__).parents[1] / "docs" / "permissions.md"


def statements() -> dict[str, list[str]]:
    """Each statement's actions, such as `ec2:DescribeInstances`, by the statement's Sid."""
    found = re.search(r"^```json\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    return {each["Sid"]: each["Action"] for each in json.loads(found[1])["Statement"]}
