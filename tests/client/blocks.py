"""The blocks of Python in docs/client.md."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "client.md"


def blocks() -> list[str]:
    """One after the other; the later ones use what the earlier ones made."""
    return re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)


def program() -> str:
    """All of them in one."""
    return "\n\n".join(blocks())
