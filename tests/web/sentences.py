"""What the pages say: every sentence that stands in a template, in the code of a page, or in an error.

Read from the source, so that a new one is found by being written.
"""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from types import ModuleType

import talktime.accounts
import talktime.agents
import talktime.alerts
import talktime.calls
import talktime.credits
import talktime.http
import talktime.notices
import talktime.numbers
import talktime.payments
import talktime.privacy
import talktime.web
import talktime.webhooks
from talktime.agents import checking
from talktime.alerts.kinds import KINDS
from talktime.errors import TalktimeError
from talktime.web import language, render

PACKAGES = (
    talktime.accounts,
    talktime.agents,
    talktime.alerts,
    talktime.calls,
    talktime.credits,
    talktime.http,
    talktime.notices,
    talktime.numbers,
    talktime.payments,
    talktime.privacy,
    talktime.web,
    talktime.webhooks,
)


def in_templates() -> dict[str, str]:
    """The sentences of the templates, and where each stands."""
    environment = render._ENVIRONMENT
    found: dict[str, str] = {}
    for name in environment.list_templates():
        assert environment.loader is not None
        source = environment.loader.get_source(environment, name)[0]
        lines = environment.extract_translations(source)  # type: ignore[attr-defined]  # of the extension for gettext
        for line, function, given in lines:
            # Of a sentence with something in it, what is put in stands there as well, as None.
            messages = [each for each in (given if isinstance(given, tuple) else (given,)) if each is not None]
            assert len(messages) == (2 if function == "ngettext" else 1), f"{name}:{line}"
            found |= dict.fromkeys(messages, f"{name}:{line}")
    return found


def in_pages() -> tuple[dict[str, str], dict[str, str]]:
    """The sentences that the code of pages says, and what else it has translated: `_(…)` of what it looks up."""
    said: dict[str, str] = dict.fromkeys(KINDS.values(), "alerts/kinds.py")
    looked_up: dict[str, str] = {}
    for module, tree in _trees(talktime.web):
        if module is language:
            continue
        for call in _calls(tree):
            if _name(call.func) not in ("_", "gettext", "ngettext_here"):
                continue
            where = f"{module.__name__}:{call.lineno}"
            for argument in call.args[: 2 if _name(call.func) == "ngettext_here" else 1]:
                if isinstance(argument, ast.Constant):
                    assert isinstance(argument.value, str), where
                    said[argument.value] = where
                else:
                    looked_up[ast.unparse(argument)] = where
    return said, looked_up


def in_errors() -> dict[str, str]:
    """The sentence of every error that a page may show: of its class, and those that are given where it is raised."""
    found = {" ".join(_first_paragraph(each).split()): str(each) for each in _errors()}
    names = {TalktimeError.__name__} | {each.__name__ for each in _kinds(TalktimeError)}
    for package in PACKAGES:
        for module, tree in _trees(package):
            for call in _calls(tree):
                if _name(call.func) not in names or not call.args:
                    continue
                first = call.args[0]
                given = getattr(module, first.id, None) if isinstance(first, ast.Name) else None
                if isinstance(first, ast.Constant):
                    given = first.value
                if isinstance(given, str):
                    found[given] = f"{module.__name__}:{call.lineno}"
    return found | in_checks()


def in_checks() -> dict[str, str]:
    """What may be wrong with what somebody writes for an agent: every sentence that stands in there."""
    tree = ast.parse(inspect.getsource(checking))
    described = {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant) and node not in described)
    return {
        node.value: f"{checking.__name__}:{node.lineno}"
        for node in texts
        if isinstance(node.value, str) and re.fullmatch(r"[A-Z].*\.", node.value)
    }


def placeholders(sentence: str) -> list[str]:
    """What is put into a sentence, and the tags in it."""
    return sorted(re.findall(r"%\(\w+\)s|\{\w*\}|</?\w+>", sentence))


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for each in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        yield importlib.import_module(each.name)


def _trees(package: ModuleType) -> Iterator[tuple[ModuleType, ast.Module]]:
    for module in modules(package):
        yield module, ast.parse(inspect.getsource(module) or "")


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _name(function: ast.expr) -> str:
    return (
        function.attr if isinstance(function, ast.Attribute) else function.id if isinstance(function, ast.Name) else ""
    )


def _errors() -> Iterator[type[TalktimeError]]:
    """Those of the packages whose errors pages show."""
    ours = tuple(package.__name__ + "." for package in PACKAGES)
    for package in PACKAGES:
        list(modules(package))  # a class is there once its module was imported
    return (each for each in _kinds(TalktimeError) if each.__module__.startswith(ours))


def _kinds(kind: type[TalktimeError]) -> Iterator[type[TalktimeError]]:
    for each in kind.__subclasses__():
        yield each
        yield from _kinds(each)


def _first_paragraph(kind: type[TalktimeError]) -> str:
    return inspect.cleandoc(kind.__doc__ or "").partition("\n\n")[0]
