"""Hold the description of the REST API against the released one: a change that breaks programs fails.

What a program sends may be asked for less strictly, and never more; what it reads may have more in it, and never less.
New values of an enumeration may appear in answers, which docs/api.md says. `python -m scripts.check_openapi [OLD NEW]`.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
_METHODS = ("get", "put", "post", "patch", "delete", "head", "options")
_AT_MOST = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_AT_LEAST = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")

Schema = Mapping[str, Any]


@dataclass
class Comparison:
    """Two descriptions, and what of the newer one breaks programs that were written for the older."""

    old: Mapping[str, Any]
    new: Mapping[str, Any]
    found: list[str] = field(default_factory=list)
    _seen: set[tuple[str, str, bool]] = field(default_factory=set)

    def run(self) -> list[str]:
        """One line for each break."""
        for path, methods in self.old["paths"].items():
            now = self.new["paths"].get(path)
            if now is None:
                self.found.append(f"{path}: it is gone")
                continue
            for method in _METHODS:
                if method in methods:
                    where = f"{method.upper()} {path}"
                    if method not in now:
                        self.found.append(f"{where}: it is gone")
                    else:
                        self._operation(where, methods[method], now[method])
        return self.found

    def _operation(self, where: str, old: Schema, new: Schema) -> None:
        if missing := set(new.get("x-scopes", [])) - set(old.get("x-scopes", [])):
            self.found.append(f"{where}: it asks for another scope, {', '.join(sorted(missing))}")
        self._parameters(where, old, new)
        self._body(where, old, new)
        for status, response in old.get("responses", {}).items():
            if not status.startswith("2"):
                continue
            now = new.get("responses", {}).get(status)
            if now is None:
                self.found.append(f"{where}: it does not answer {status} any more")
                continue
            was_content, is_content = (self._whole(side, each).get("content", {}) for side, each in
                                       ((self.old, response), (self.new, now)))  # fmt: skip
            for kind, media in was_content.items():
                if kind not in is_content:
                    self.found.append(f"{where}: it does not answer {kind} any more")
                else:
                    self._schema(
                        f"{where} answers", media.get("schema", {}), is_content[kind].get("schema", {}), sent=False
                    )

    def _parameters(self, where: str, old: Schema, new: Schema) -> None:
        was = {(each["in"], each["name"]): each for each in old.get("parameters", [])}
        now = {(each["in"], each["name"]): each for each in new.get("parameters", [])}
        for key, parameter in was.items():
            if key not in now:
                self.found.append(f"{where}: the parameter {key[1]} is gone")
                continue
            if now[key].get("required") and not parameter.get("required"):
                self.found.append(f"{where}: the parameter {key[1]} is needed now")
            self._schema(f"{where} {key[1]}", parameter.get("schema", {}), now[key].get("schema", {}), sent=True)
        for key, parameter in now.items():
            if key not in was and parameter.get("required"):
                self.found.append(f"{where}: it needs a new parameter, {key[1]}")

    def _body(self, where: str, old: Schema, new: Schema) -> None:
        was, now = old.get("requestBody"), new.get("requestBody")
        if was is None:
            if now is not None and now.get("required"):
                self.found.append(f"{where}: it needs a body now")
            return
        if now is None:
            self.found.append(f"{where}: it reads no body any more")
            return
        if now.get("required") and not was.get("required"):
            self.found.append(f"{where}: it needs a body now")
        for kind, media in was.get("content", {}).items():
            if kind not in now.get("content", {}):
                self.found.append(f"{where}: it reads no {kind} any more")
                continue
            self._schema(where, media.get("schema", {}), now["content"][kind].get("schema", {}), sent=True)

    def _schema(self, where: str, old: Schema, new: Schema, *, sent: bool) -> None:
        """Compare what is sent, or what is read, with all that is inside."""
        names = (str(old.get("$ref", "")), str(new.get("$ref", "")), sent)
        if names[0] and names[1]:
            # One that refers to itself is looked at once.
            if names in self._seen:
                return
            self._seen.add(names)
        old, new = self._whole(self.old, old), self._whole(self.new, new)
        was, now = dict(self._variants(self.old, old)), dict(self._variants(self.new, new))
        wider, narrower = (was, now) if sent else (now, was)
        if "any" not in narrower and (lost := sorted(set(wider) - set(narrower) - _as_wide(narrower))):
            kinds = " or ".join(lost)
            self.found.append(f"{where}: it {f'may not be {kinds} any more' if sent else f'may be {kinds} now'}")
        for kind, variant in was.items():
            if kind in now:
                self._variant(where, variant, now[kind], sent=sent)

    def _variant(self, where: str, old: Schema, new: Schema, *, sent: bool) -> None:
        if gone := [value for value in old.get("enum", []) if "enum" in new and value not in new["enum"]]:
            self.found.append(f"{where}: {', '.join(map(str, gone))} is no value of it any more")
        if sent:
            self._bounds(where, old, new)
        self._properties(where, old, new, sent=sent)
        if "items" in old and "items" in new:
            self._schema(f"{where}[]", old["items"], new["items"], sent=sent)
        if isinstance(old.get("additionalProperties"), Mapping) and isinstance(
            new.get("additionalProperties"), Mapping
        ):
            self._schema(f"{where}.*", old["additionalProperties"], new["additionalProperties"], sent=sent)

    def _bounds(self, where: str, old: Schema, new: Schema) -> None:
        for name in _AT_MOST:
            if name in new and (name not in old or new[name] < old[name]):
                self.found.append(f"{where}: its {name} is {new[name]} now")
        for name in _AT_LEAST:
            if name in new and (name not in old or new[name] > old[name]):
                self.found.append(f"{where}: its {name} is {new[name]} now")
        for name in ("pattern", "format", "multipleOf"):
            if name in new and new[name] != old.get(name):
                self.found.append(f"{where}: its {name} is {new[name]} now")
        if "enum" in new and "enum" not in old:
            self.found.append(f"{where}: only some values are taken now")

    def _properties(self, where: str, old: Schema, new: Schema, *, sent: bool) -> None:
        was, now = old.get("properties", {}), new.get("properties", {})
        for name, schema in was.items():
            if name not in now:
                self.found.append(f"{where}.{name}: it is gone")
                continue
            self._schema(f"{where}.{name}", schema, now[name], sent=sent)
        needed, was_needed = set(new.get("required", [])), set(old.get("required", []))
        if sent:
            for name in sorted(needed - was_needed):
                self.found.append(f"{where}.{name}: it is needed now")
        else:
            for name in sorted((was_needed - needed) & set(now)):
                self.found.append(f"{where}.{name}: it may be missing now")

    def _variants(self, document: Mapping[str, Any], schema: Schema) -> Iterator[tuple[str, Schema]]:
        """What a value may be: `string`, `integer`, `null`, an object by its discriminating name."""
        for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())):
            yield from self._variants(document, self._whole(document, each))
        if "anyOf" in schema or "oneOf" in schema:
            return
        kinds = schema.get("type", "any")
        for kind in kinds if isinstance(kinds, list) else [kinds]:
            const = schema.get("const")
            yield (f"{kind} {const}" if const is not None else kind), schema

    def _whole(self, document: Mapping[str, Any], schema: Schema) -> Schema:
        """A schema, or a response, in the place of its name."""
        while "$ref" in schema:
            found: Any = document
            for part in str(schema["$ref"]).removeprefix("#/").split("/"):
                found = found[part]
            schema = found
        return schema


def _as_wide(kinds: Mapping[str, Any]) -> set[str]:
    """An integer is a number, too."""
    return {"integer"} if "number" in kinds else set()


def breaks(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What of a newer description breaks programs that were written for an older one."""
    return Comparison(old, new).run()


def main() -> int:
    """Exit code 1 when something breaks."""
    paths = [Path(each) for each in sys.argv[1:3]] or [DOCS / "openapi-released.json", DOCS / "openapi.json"]
    old, new = (json.loads(path.read_text()) for path in paths)
    found = breaks(old, new)
    for line in found:
        print(line)
    print(f"{len(old['paths'])} paths looked at, {len(found)} changes that break programs.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
