"""List every transaction that sees everybody's rows, with its reason, and hold the list against docs/everyone.md.

A new one shows up as a change of that file, where a reviewer sees it. `--write` brings the file up to date.
"""

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LISTING = ROOT / "docs" / "everyone.md"
PASSES_ON = {"everyone": 0, "in_the_books": 1}
"""Functions that are given the reason (`why`), and as which argument: whoever calls them says it."""
HEAD = """# Transactions that see everyone

Row-level security shows a transaction one user's rows. These say why they must see all of them; `make check` holds
this list against the code (`python scripts/check_everyone.py --write` brings it up to date).

"""


def main() -> int:
    """Exit code 1 when the list is not true, or a reason is missing."""
    found: list[str] = []
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text())
        constants: dict[str, object] = {
            target.id: node.value.value if isinstance(node.value, ast.Constant) else f"`{ast.unparse(node.value)}`"
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Constant, ast.Attribute))
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        constants |= {
            imported.name: f"`{(node.module or '').rpartition('.')[2]}.{imported.name}`"
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            for imported in node.names
        }
        found += [
            f"- `{path.relative_to(ROOT / 'src')}`: {_reason(value, constants, path)}" for value in _reasons(tree)
        ]
    text = HEAD + "\n".join(sorted(set(found))) + "\n"
    if "--write" in sys.argv:
        LISTING.write_text(text)
        return 0
    if not LISTING.exists() or LISTING.read_text() != text:
        print("docs/everyone.md is not true any more: run python scripts/check_everyone.py --write and look at it.")
        return 1
    print(f"{len(set(found))} places see everyone, each with its reason.")
    return 0


def _reasons(node: ast.AST) -> Iterator[ast.expr]:
    """Every reason in a part of a file; of a function that passes one on, what it says by itself."""
    if isinstance(node, ast.FunctionDef) and node.name in PASSES_ON:
        yield from node.args.defaults
        given = {each.arg for each in node.args.args}
        within = (reason for each in node.body for reason in _reasons(each))
        yield from (reason for reason in within if not (isinstance(reason, ast.Name) and reason.id in given))
        return
    if isinstance(node, ast.Call):
        called = getattr(node.func, "attr", "") or getattr(node.func, "id", "")
        if called in ("transaction", "statement_for"):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "everyone")
        elif (place := PASSES_ON.get(called)) is not None:
            yield from node.args[place : place + 1]
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "why")
    for each in ast.iter_child_nodes(node):
        yield from _reasons(each)


def _reason(value: ast.expr, constants: Mapping[str, object], where: Path) -> str:
    if isinstance(value, ast.Constant):
        return str(value.value)
    if isinstance(value, ast.Name) and value.id in constants:
        return str(constants[value.id])
    if isinstance(value, ast.Attribute):
        return f"`{ast.unparse(value)}`"
    raise SystemExit(f"{where}:{value.lineno}: the reason must be a constant, not {ast.unparse(value)}")


if __name__ == "__main__":
    sys.exit(main())
