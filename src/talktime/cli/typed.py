"""Numbers as people type them in commands: plain digits. What Python would also take for a number (`1_0`, `1e3`, digits
of another script) is more likely a slip, and here a slip is money.
"""

import re

import typer


def digits(text: str | int) -> int:
    """A whole number of credits; an option's own default, which passes through here as well, is taken as it is."""
    if isinstance(text, int):
        return text
    if re.fullmatch(r"[+-]?[0-9]{1,15}", text) is None:
        raise typer.BadParameter(f"{text!r} is not a whole number: type plain digits.")
    return int(text)
