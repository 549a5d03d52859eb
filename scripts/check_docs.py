"""Hold what the documents say against what there is: commands, targets of make, and links to files.

A document that names a command that does not exist is worse than none.
"""

import re
import sys
from pathlib import Path
from typing import Any

import typer.main

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s`$])talktime((?: [a-z][a-z-]*)+)", re.MULTILINE)
OPTION = re.compile(r"--[a-z][a-z-]*")
TARGET = re.compile(r"(?:^|[\s`])make ([a-z][a-z-]*)", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")


def main() -> int:
    """Exit code 1 when something that is named is not there."""
    from talktime.cli import _add_commands, app

    _add_commands()
    tree = typer.main.get_command(app)
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    wrong: list[str] = []
    for document in DOCUMENTS:
        text = document.read_text()
        where = document.relative_to(ROOT)
        for code in CODE.findall(text):
            for line in code.strip("`").splitlines():
                for match in COMMAND.finditer(line):
                    problem = _problem(tree, match.group(1).split(), line[match.end() :])
                    if problem:
                        wrong.append(f"{where}: `talktime{match.group(1)}`: {problem}")
                wrong += [f"{where}: there is no `make {name}`" for name in TARGET.findall(line) if name not in targets]
        for link in LINK.findall(text):
            if not (document.parent / link).exists():
                wrong.append(f"{where}: there is no {link}")
    for line in wrong:
        print(line)
    print(f"{len(DOCUMENTS)} documents read, {len(wrong)} mistakes.")
    return 1 if wrong else 0


def _problem(command: Any, words: list[str], rest: str) -> str:
    """Why a command line cannot be; "" when it can."""
    while words and hasattr(command, "commands"):
        found = command.commands.get(words[0])
        if found is None:
            return f"there is no command {words[0]!r}"
        command, words = found, words[1:]
    if words and words[0].islower() and not any(p.param_type_name == "argument" for p in command.params):
        return f"{command.name} takes no argument"
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    unknown = [name for name in OPTION.findall(re.split("[#|]", rest)[0]) if name not in known]
    return f"there is no option {unknown[0]}" if unknown and not hasattr(command, "commands") else ""


if __name__ == "__main__":
    sys.exit(main())
