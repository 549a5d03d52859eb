"""Numbers as people type them in commands: plain digits. What Python would also take for a number (`1_0`, `1e3`, digits
of another script) is more likely a slip, and here a slip is money.
"""

import re

import typer


def digits(text: str) -> int:
    """A whole number of credits."""
    if re.fullmatch(r"[+-]?[0-9]{1,15}", text) is None:
        raise typer.BadParameter(f"{text!r} is not a whole number: type plain digits.")
    return int(text)
