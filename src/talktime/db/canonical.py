"""One spelling for one expression.

PostgreSQL prints `a BETWEEN 1 AND 2 AND b` as `((a >= 1) AND (a <= 2)) AND b`, and reads what it printed as three
conditions in a row. So an expression that went through a migration looks different from the one in the models, and
means the same. The rule: only parentheses go, and only where AND stands in AND, or OR in OR.
"""

import re
from typing import Union

_Group = list[Union[str, "_Group"]]
_WORD = re.compile(r"""E?'(?:[^']|'')*'|"(?:[^"]|"")*"|[()]|\s+|\w+|.""", re.DOTALL)


def canonical(text: str) -> str:
    """The text without the parentheses that do not matter. Text that is no expression comes back as it is."""
    root: _Group = []
    open_groups = [root]
    for word in _WORD.findall(text):
        if word == "(":
            group: _Group = []
            open_groups[-1].append(group)
            open_groups.append(group)
        elif word == ")":
            if len(open_groups) == 1:
                return text
            open_groups.pop()
        else:
            open_groups[-1].append(word)
    return _printed(_flat(root)) if len(open_groups) == 1 else text


def _flat(group: _Group) -> _Group:
    parts: _Group = [_flat(part) if isinstance(part, list) else part for part in group]
    words = [number for number, part in enumerate(parts) if not (isinstance(part, str) and part.isspace())]
    result: _Group = []
    place = {number: place for place, number in enumerate(words)}
    for number, part in enumerate(parts):
        if isinstance(part, list):
            at = place[number]
            before = parts[words[at - 1]] if at else ""
            after = parts[words[at + 1]] if at + 1 < len(words) else ""
            beside = [word for word in (before, after) if word != ""]
            if any(beside and all(b == word for b in beside) and _is_chain(part, word) for word in ("AND", "OR")):
                result += part
                continue
        result.append(part)
    return result


def _is_chain(group: _Group, word: str) -> bool:
    other = "OR" if word == "AND" else "AND"
    return word in group and other not in group and "CASE" not in group and "SELECT" not in group


def _printed(group: _Group) -> str:
    return "".join(f"({_printed(part)})" if isinstance(part, list) else part for part in group)
