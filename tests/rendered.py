"""Holds a whole run of the tests against the templates: each must have been shown by some test, with everything that it
names (a name that is misspelt is an error, see `talktime.web.render`).

Only a run of everything is held to it; what a part of the tests shows says nothing about the rest.
"""

from typing import Any

import jinja2
import pytest

from talktime.web import install, render

_KEY = "templates"
_shown: set[str] = set()
_get_template = jinja2.Environment.get_template
_nodes_done: list[bool] = []


def _noted(environment: jinja2.Environment, name: Any, parent: Any = None, globals: Any = None) -> jinja2.Template:
    if environment is render._ENVIRONMENT:
        _shown.add(str(name))
    return _get_template(environment, name, parent, globals)


def _warm() -> None:
    """Compiling all of them at the start shows none."""
    for name in render._ENVIRONMENT.list_templates():
        _get_template(render._ENVIRONMENT, name)


def pytest_configure() -> None:
    jinja2.Environment.get_template = _noted  # type: ignore[method-assign, assignment]  # listened in on, for as long as the run
    install.warm = _warm  # type: ignore[attr-defined]  # what `install` imported


class Collector:
    """What the workers of one run saw."""

    def pytest_testnodedown(self, node: Any, error: object) -> None:
        _shown.update(getattr(node, "workeroutput", {}).get(_KEY, ()))
        _nodes_done.append(error is None)


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    if manager.hasplugin("dsession") and not manager.hasplugin("rendered-collector"):
        manager.register(Collector(), "rendered-collector")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A worker hands on what it saw; who began the run judges."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEY] = sorted(_shown)
        return
    is_whole = session.config.args == session.config.getini("testpaths") and not session.config.option.keyword
    if not is_whole or exitstatus != pytest.ExitCode.OK:
        return
    never = sorted(set(render._ENVIRONMENT.list_templates()) - _shown)
    if never:
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        assert reporter is not None
        reporter.write_line(f"\nNo test shows these templates: {', '.join(never)}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
