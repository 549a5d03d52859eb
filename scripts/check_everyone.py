"""List every transaction that sees everybody's rows, with its reason, and hold the list against docs/everyone.md.

A new one shows up as a change of that file, where a reviewer sees it. `--write` brings the file up to date.
"""

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LISTING = ROOT / "docs" / "everyone.md"
PASSES_ON = ROOT / "src" / "talktime" / "api" / "caller.py"
"""Whoever calls its `everyone(why)` says why."""
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
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or path == PASSES_ON:
                continue
            reasons = []
            if (called := getattr(node.func, "attr", "")) in ("transaction", "statement_for"):
                reasons = [keyword.value for keyword in node.keywords if keyword.arg == "everyone"]
            elif called == "everyone":
                reasons = node.args[:1]
            found += [f"- `{path.relative_to(ROOT / 'src')}`: {_reason(value, constants, path)}" for value in reasons]
    text = HEAD + "\n".join(sorted(set(found))) + "\n"
    if "--write" in sys.argv:
        LISTING.write_text(text)
        return 0
    if not LISTING.exists() or LISTING.read_text() != text:
        print("docs/everyone.md is not true any more: run python scripts/check_everyone.py --write and look at it.")
        return 1
    print(f"{len(set(found))} places see everyone, each with its reason.")
    return 0


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
