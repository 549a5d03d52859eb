"""Write the repetitive part of `talktime_client` from docs/openapi.json: `python -m scripts.client write`.

With `check`, or without anything, it says whether what is there is what would be written. By hand are the core (how
things are asked, retried, read) and what talks about webhooks.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from textwrap import fill, indent

from scripts.client_description import (
    GROUPS,
    LINES,
    Argument,
    Description,
    NotUnderstood,
    Operation,
    Shape,
    file_of,
)

ROOT = Path(__file__).resolve().parent.parent
DESCRIPTION = ROOT / "docs" / "openapi.json"
PACKAGE = ROOT / "src" / "talktime_client"
_MADE = "Made from docs/openapi.json by scripts/client.py: change nothing here by hand."
_PAGING = ("limit", "cursor", "sort")
_LIBRARY = """from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

"""
"""What any of the files may need; the linter takes out what it does not."""


def written(description: Description) -> dict[str, str]:
    """Every file of it, by its place in the package, before it is formatted."""
    files = {"_generated/__init__.py": f'"""What can be asked for.\n\n{_MADE}\n"""\n'}
    shapes = description.shapes
    names = {shape.name: place for place, found in shapes.items() for shape in found}
    names |= {f"{shape.name}Name": place for place, found in shapes.items() for shape in found if _has_names(shape)}
    for place, found in shapes.items():
        files[f"_generated/shapes/{place}.py"] = _shapes_file(place, found, names)
    files["_generated/shapes/__init__.py"] = f'"""What comes and goes.\n\n{_MADE}\n"""\n'
    files["models.py"] = _models_file(names)
    for folder, is_async in (("waiting", False), ("awaited", True)):
        files[f"_generated/{folder}/__init__.py"] = f'"""{_KINDS[is_async]}\n\n{_MADE}\n"""\n'
        for place, operations in groupby(description.operations, key=lambda each: file_of(each.group)):
            text = _groups_file(description, place, list(operations), names, is_async=is_async)
            files[f"_generated/{folder}/{place}.py"] = text
    files["_generated/groups.py"] = _tree_file()
    return files


_KINDS = {False: "For programs that wait.", True: "For asyncio."}


def _shapes_file(place: str, shapes: Sequence[Shape], names: dict[str, str]) -> str:
    parts = [f'"""Shapes of `{place}`.\n\n{_MADE}\n"""\n', _LIBRARY]
    parts.append("from talktime_client._values import Id, OpenEnum\n")
    parts.append(_imports({name: where for name, where in names.items() if where != place}))
    parts += [_enumeration(shape) if shape.values else _document(shape) for shape in shapes]
    return "\n".join(parts)


def _imports(names: dict[str, str]) -> str:
    by_place = sorted((place, name) for name, place in names.items())
    return "\n".join(f"from talktime_client._generated.shapes.{place} import {name}" for place, name in by_place)


def _enumeration(shape: Shape) -> str:
    lines = [f"\n\nclass {shape.name}(OpenEnum):", _text(shape.about, "    "), ""]
    lines += [f'    {_constant(value)} = "{value}"' for value in shape.values]
    if _has_names(shape):
        values = ", ".join(f'"{value}"' for value in shape.values)
        lines += ["", "", f"{shape.name}Name: TypeAlias = Literal[{values}]"]
    return "\n".join(lines) + "\n"


def _has_names(shape: Shape) -> bool:
    """Whether programs send it, and may send a text in its place."""
    return bool(shape.values) and shape.is_sent


def _constant(value: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in value).upper()


def _document(shape: Shape) -> str:
    lines = [f"\n\n@dataclass(frozen=True, slots=True)\nclass {shape.name}:", _text(shape.about, "    "), ""]
    for each in shape.fields:
        lines.append(f"    {each.name}: {each.type}{_default(each)}")
        if each.about:
            lines.append(_text(each.about, "    "))
    if shape.has_etag:
        lines.append("    etag: str | None = field(default=None, compare=False)")
        lines.append(_text("The state that it is in, for `if_match`; None in a list.", "    "))
    return "\n".join(lines) + "\n"


def _default(field: Argument) -> str:
    if field.name == "secret":
        # It opens doors, and what is shown of an object stands in logs.
        return " = field(repr=False)"
    if field.is_needed:
        return ""
    if field.type.startswith("Mapping"):
        return f" = field(default_factory={field.type.replace('Mapping', 'dict', 1)})"
    for beginning, default in (("str", '""'), ("Sequence", "()")):
        if field.type.startswith(beginning):
            return f" = {default}"
    raise NotUnderstood(f"the field {field.name} of type {field.type}, which may be missing")


def _groups_file(
    description: Description, place: str, operations: list[Operation], names: dict[str, str], *, is_async: bool
) -> str:
    kind, groups = ("AsyncGroup", "AsyncPages") if is_async else ("Group", "Pages")
    transport = "AsyncTransport" if is_async else "Transport"
    parts = [
        f'"""Requests of `{place}`.\n\n{_MADE}\n"""\n',
        _LIBRARY,
        f"from talktime_client._group import {kind}, part",
        f"from talktime_client._paging import {groups}",
        f"from talktime_client._transport import {transport}",
        "from talktime_client._values import UNSET, Id, Unset, uuid_written",
        _imports(names),
    ]
    made = {name: list(found) for name, found in groupby(operations, key=lambda each: each.group)}
    # Those that a group has as its own come before it.
    for group in sorted(made, key=lambda name: -name.count(".")):
        parts.append(f"\n\nclass {class_of(group, is_async=is_async)}({kind}):")
        parts.append(_text(f"`client.{group}`", "    "))
        inner = [each for each in made if each.startswith(f"{group}.")]
        parts.append(_init(inner, transport, is_async=is_async) if inner else "")
        for operation in made[group]:
            parts.append(_method(operation, operation.kind, operation.answer, is_async=is_async))
            if operation.id in LINES:
                parts.append(_method(operation, "page", description.rows_of(operation), is_async=is_async))
    return "\n".join(parts) + "\n"


def class_of(group: str, *, is_async: bool) -> str:
    """`AsyncAgentsDraftGroup` for `agents.draft`."""
    name = "".join(word.capitalize() for word in group.replace(".", "_").split("_"))
    return f"{'Async' if is_async else ''}{name}Group"


def _init(groups: Sequence[str], transport: str, *, is_async: bool) -> str:
    lines = [f"    def __init__(self, transport: {transport}) -> None:", "        super().__init__(transport)"]
    lines += [_attribute(each.rpartition(".")[2], class_of(each, is_async=is_async)) for each in groups]
    return "\n".join(lines) + "\n"


def _attribute(name: str, kind: str) -> str:
    return f"        self.{name}: {kind} = {kind}(transport)"


def _method(operation: Operation, kind: str, answer: str, *, is_async: bool) -> str:
    name = LINES[operation.id] if kind != operation.kind else operation.name
    is_awaited = is_async and kind != "page"
    pages = "AsyncPages" if is_async else "Pages"
    results = {"page": f"{pages}[{answer}]", "document": answer, "file": "bytes", "json": "Any", "nothing": "None"}
    signature = ", ".join(["self", *_arguments(operation)])
    beginning = f"    {'async ' if is_awaited else ''}def {name}({signature}) -> {results[kind]}:"
    call = _call(operation, kind, answer)
    word = "" if kind == "nothing" else "return "
    about = _about(operation, kind)
    return "\n".join([beginning, about, f"        {word}{'await ' if is_awaited else ''}{call}", ""])


def _arguments(operation: Operation) -> Iterator[str]:
    """As they stand in the signature: what is in the address by its place, everything else by its name."""
    for each in operation.places:
        yield f"{each.name}: {each.type}"
    named = [f"{each.name}: {each.type}" for each in operation.query if each.is_needed]
    body = operation.body or ()
    named += [f"{each.name}: {each.type}" for each in body if each.is_needed]
    if operation.is_changing:
        named.append("if_match: str | None")
    named += [f"{each.name}: {each.type} | None = None" for each in operation.query if not each.is_needed]
    named += [f"{each.name}: {_or_unset(each.type)} = UNSET" for each in body if not each.is_needed]
    if operation.is_once:
        named.append("idempotency_key: str | None = None")
    if named:
        yield "*"
        yield from named


def _or_unset(kind: str) -> str:
    return f"{kind.removesuffix(' | None')} | Unset | None" if kind.endswith(" | None") else f"{kind} | Unset"


def _call(operation: Operation, kind: str, answer: str) -> str:
    path = _path(operation)
    if kind == "file":
        return f'self._file({path}, "{answer}")'
    if kind == "json":
        return f"self._json({path})"
    if kind == "nothing":
        if operation.body is not None or operation.is_changing or operation.is_once:
            raise NotUnderstood(f"{operation.id}, which says something and is answered nothing")
        return f'self._do("{operation.method}", {path})'
    names = [each.name for each in operation.query]
    if kind == "page":
        cursor = "cursor" if "cursor" in names else "None"
        return f"self._pages({answer}, {path}, {_by_name(name for name in names if name != 'cursor')}, {cursor})"
    parts = [answer, f'"{operation.method}"', path]
    if names:
        parts.append(f"params={_by_name(names)}")
    if operation.body is not None:
        parts.append(f"body={_by_name(each.name for each in operation.body)}")
    if operation.is_changing:
        parts.append("if_match=if_match")
    if operation.is_once:
        parts.append("once=idempotency_key")
    return f"self._ask({', '.join(parts)})"


def _by_name(names: Iterable[str]) -> str:
    return "{" + ", ".join(f'"{name}": {name}' for name in names) + "}"


def _path(operation: Operation) -> str:
    path = operation.path
    for each in operation.places:
        read = {"Id": f"uuid_written({each.name})", "int": each.name, "str": f"part({each.name})"}[each.type]
        path = path.replace("{" + each.name + "}", "{" + read + "}")
    return f'f"{path}"' if operation.places else f'"{path}"'


def _about(operation: Operation, kind: str) -> str:
    """What a method says of itself."""
    said = " ".join(operation.about.split()) or f"{operation.id.replace('_', ' ').capitalize()}."
    if kind != operation.kind:
        said = "The lines alone, page after page."
    scopes = " and ".join(f"`{each}`" for each in operation.scopes)
    parts = [said, f"`{operation.method} {operation.path}`" + (f", with the scope {scopes}." if scopes else ".")]
    arguments = [each for each in (*operation.query, *(operation.body or ())) if each.name not in _PAGING]
    notes = [f"`{each.name}`: {' '.join(each.about.split())}" for each in arguments if each.about]
    if notes:
        parts.append("\n".join(f"- {note}" for note in notes))
    return _text("\n\n".join(parts), "        ")


def _text(said: str, margin: str) -> str:
    """A docstring."""
    width = 114 - len(margin)
    lines = [
        fill(
            line, width, break_long_words=False, break_on_hyphens=False, subsequent_indent="  " * line.startswith("- ")
        )
        for line in said.replace("\\", "\\\\").split("\n")
    ]
    text = "\n".join(lines)
    end = "\n" if "\n" in text else ""
    return indent(f'"""{text}{end}"""', margin)


def _models_file(names: dict[str, str]) -> str:
    listed = ", ".join(f'"{name}"' for name in sorted(names))
    return "\n".join([f'"""Every shape that comes and goes, by its name.\n\n{_MADE}\n"""\n', _imports(names),
                      f"\n__all__ = [{listed}]\n"])  # fmt: skip


def _tree_file() -> str:
    parts = [f'"""The groups of requests, as a client has them.\n\n{_MADE}\n"""\n']
    for is_async in (False, True):
        folder = "awaited" if is_async else "waiting"
        for group in GROUPS:
            if _is_at_the_top(group):
                name = class_of(group, is_async=is_async)
                parts.append(f"from talktime_client._generated.{folder}.{file_of(group)} import {name}")
    parts.append("from talktime_client._transport import AsyncTransport, Transport")
    for is_async in (False, True):
        begin, transport = ("Async", "AsyncTransport") if is_async else ("", "Transport")
        for name, about, prefix in (
            (f"{begin}AdminGroup", "`client.admin`: what operators do.", "admin."),
            (f"{begin}Groups", "What a client is asked for.", ""),
        ):
            groups = [each for each in GROUPS if _is_at_the_top(each) and each.startswith("admin.") == bool(prefix)]
            parts += [f"\n\nclass {name}:", _text(about, "    "), ""]
            parts.append(f"    def __init__(self, transport: {transport}) -> None:")
            for group in groups:
                short = group.removeprefix(prefix)
                parts.append(_attribute(short, class_of(group, is_async=is_async)))
            if not prefix:
                parts.append(_attribute("admin", f"{begin}AdminGroup"))
    return "\n".join(parts) + "\n"


def _is_at_the_top(group: str) -> bool:
    """Whether no other group has it as its own."""
    return group.startswith("admin.") or "." not in group


def formatted(files: dict[str, str]) -> dict[str, str]:
    """The same, as our formatter has it, and without imports that nobody needs."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        options = ["--quiet", "--no-cache", "--config", str(ROOT / "pyproject.toml"), folder]
        # Said, since it is found out otherwise from what is there before.
        ours = ["--config", 'lint.isort.known-first-party = ["talktime_client"]']
        _ruff("check", "--fix", "--unsafe-fixes", "--select", "I,F401", *ours, *options)
        _ruff("format", *options)
        return {name: Path(folder, name).read_text() for name in files}


def _ruff(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *words], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode != 0:
        raise NotUnderstood(f"what it wrote itself: {done.stdout[:2000]}{done.stderr[:2000]}")


def present() -> dict[str, str]:
    """What is there."""
    paths = [*(PACKAGE / "_generated").rglob("*.py"), PACKAGE / "models.py"]
    return {path.relative_to(PACKAGE).as_posix(): path.read_text() for path in paths if path.exists()}


def main() -> int:
    """Exit code 1 when the client and the description differ."""
    wanted, found = formatted(written(Description(DESCRIPTION.read_text()))), present()
    if "write" in sys.argv:
        for name in found.keys() - wanted.keys():
            (PACKAGE / name).unlink()
        for name, text in wanted.items():
            path = PACKAGE / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if found.get(name) != text:
                path.write_text(text)
        return 0
    if differing := sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)):
        print(f"talktime_client is not what docs/openapi.json says: {', '.join(differing)}.")
        print("Run python -m scripts.client write and look at it.")
        return 1
    print(f"talktime_client is what docs/openapi.json says, in {len(wanted)} files.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
