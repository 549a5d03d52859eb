"""All that makes the schema: every module that defines a model, and the SQL files in the order in which they run."""

import importlib
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from sqlalchemy import MetaData

import talktime
from talktime.db.base import Model


def metadata() -> MetaData:
    """The tables of all classes that derive from `Model`, wherever they stand."""
    for name in sorted(_modules_with_models()):
        importlib.import_module(name)
    return Model.metadata


def sql_files() -> list[Traversable]:
    """The domains' files by name; those of `db` last, because they loop over what the others made."""
    found = []
    for domain in sorted(files("talktime").iterdir(), key=lambda domain: (domain.name == "db", domain.name)):
        folder = domain / "sql"
        if folder.is_dir():
            found += sorted(
                (file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name
            )
    return found


def _modules_with_models() -> Iterator[str]:
    root = Path(talktime.__path__[0])
    for path in root.rglob("*.py"):
        if re.search(r"^class \w+\(.*\bModel\b.*\):", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield ".".join(("talktime", *path.relative_to(root).with_suffix("").parts))
