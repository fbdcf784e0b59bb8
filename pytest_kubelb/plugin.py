"""pytest glue: options, configuration, collection, order, the reporting hook. Touches pytest, and no testbed.

Every pytest run in an environment with this plugin imports this module, so whatever is only needed when
points are measured is imported where it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_kubelb import stash
from pytest_kubelb.errors import ConfigError, KubelbError
from pytest_kubelb.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_kubelb.settings import Settings

pytest_plugins = ("pytest_kubelb.fixtures", "pytest_kubelb.defaults")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add every option of the table to the command line and to the ini files."""
    group = parser.getgroup("kubelb", "benchmarks of Kubernetes load balancers (pytest-kubelb)")
    for option in OPTIONS:
        text = option.help.replace("%", "%%")  # argparse would read 5% as a format
        if option.metavar is None:
            group.addoption(option.flag, dest=option.ini, action="store_const", const="true", help=text)
        else:
            group.addoption(option.flag, dest=option.ini, metavar=option.metavar, help=text)
        parser.addini(option.ini, f"{option.help} (as {option.flag})", default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks of hookspecs.py known."""
    from pytest_kubelb import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and refuse misuse on the command line before anything is started."""
    config.addinivalue_line(
        "markers",
        "kubelb(*, backend, pods, overlay, runs, duration, tolerance, max_drop): measure this bench at these points "
        "and with these settings instead of the session's; each point carries its own backend, pods and "
        "overlay, so that -m \"kubelb(pods=8, backend='proxy')\" selects it.",
    )
    if any(config.getoption(option.ini) is not None for option in OPTIONS):
        try:
            _settings(config)
        except ConfigError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Show the settings that are not the default, when kubelb options were given."""
    return _settings_lines(config) if stash.SETTINGS in config.stash else []


def pytest_sessionstart(session: pytest.Session) -> None:
    """In xdist's controller, watch for benches among what the workers collect."""
    if session.config.pluginmanager.hasplugin("dsession"):
        from pytest_kubelb import xdist_refusal

        session.config.pluginmanager.register(xdist_refusal, "kubelb-xdist-refusal")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Turn misuse that was found while tests were generated into a usage error.

    Raised there, it would be a collection error of one module, and hide behind exit code 2.
    """
    try:
        return (yield)
    finally:
        if stash.USAGE_ERROR in session.config.stash:
            raise pytest.UsageError(session.config.stash[stash.USAGE_ERROR])


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a bench function one item for each point, or, when it judges sweeps, one for each backend."""
    if "sweep" in metafunc.fixturenames:
        from pytest_kubelb import sweeping

        sweeping.generate(metafunc, _settings)
    if "lb_point" not in metafunc.fixturenames:
        return
    from pytest_kubelb import matrix, settings, xdist_refusal

    config = metafunc.config
    xdist_refusal.refuse_in_worker(config)
    if config.pluginmanager.is_blocked("benchmark"):
        config.stash.setdefault(
            stash.USAGE_ERROR, "kubelb shows its runs by pytest-benchmark: leave out `-p no:benchmark`"
        )
        return
    markers = [(mark.args, mark.kwargs) for mark in metafunc.definition.iter_markers("kubelb")]
    try:
        points = config.hook.pytest_kubelb_points(
            config=config, settings=settings.override(_settings(config), markers)
        )
    except (ConfigError, pytest.UsageError) as error:
        config.stash.setdefault(stash.USAGE_ERROR, str(error))
        return
    config.stash.setdefault(stash.POINTS, {}).update(dict.fromkeys(points))
    labels = matrix.ids(points)
    parameters = [
        pytest.param(point, id=label, marks=pytest.mark.kubelb(**point.axes()))
        for point, label in zip(points, labels, strict=True)
    ]
    metafunc.parametrize("lb_point", parameters, indirect=True, scope="session")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, object, object]:
    """Let -k find every axis; after the selection, and after pytest's own sorting, put points in order."""
    if stash.POINTS not in config.stash:
        return (yield)
    from pytest_kubelb import selection

    # With warnings as errors, pytest-benchmark's remark that no point was measured would end pytest with a traceback.
    config.addinivalue_line("filterwarnings", "default:Not saving anything, no benchmarks have been run")
    selection.drop_sweeps_without_baseline(config, items)
    for item in items:
        if point := selection.point_of(item):
            item.extra_keyword_matches.update((point.backend, point.overlay))
    result = yield
    try:
        selection.check_baseline(config)
        selection.order(config, items)
        config.stash[stash.PLAN] = selection.plan(config, items)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error
    return result


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Print what is going to be measured and how long it will take; with --collect-only that is all."""
    if stash.PLAN not in config.stash:
        return []
    return [*_settings_lines(config), f"kubelb plan: {config.stash[stash.PLAN]}."]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Judge the runs of a point, and fail its item before pytest makes the report of it.

    Only then do JUnit, -x, --pdb and strict xfail take the verdict for the failure it is.
    """
    if call.when == "call" and stash.SERIES in item.stash:
        from pytest_kubelb import judging

        judging.judge(item, call)
    report = yield
    if call.when == "call" and stash.LINE in item.stash:
        vars(report)["kubelb_line"] = item.stash[stash.LINE]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
) -> Generator[None, tuple[str, str, object], tuple[str, str, object]]:
    """Leave out the dot of a point that gets a line of its own."""
    category, letter, word = yield
    lined = hasattr(report, "kubelb_line") and config.get_verbosity() > -2
    return category, "" if lined else letter, word


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Print one line when a point is finished, whatever the verbosity (but not with -qq)."""
    result = yield
    config = item.config
    # Without the terminal plugin there is no verbosity to ask for.
    if stash.LINE not in item.stash or not config.pluginmanager.hasplugin("terminalreporter"):
        return result
    verbosity = config.get_verbosity()
    if verbosity > -2:
        writer = config.get_terminal_writer()
        if writer.width_of_current_line:
            writer.line()
        # With -v pytest begins the next line itself.
        writer.write(item.stash[stash.LINE] + ("" if verbosity > 0 else "\n"), flush=True)
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the tables of all points, and why the JSON report is missing if it is."""
    if stash.OUTCOMES in config.stash and config.get_verbosity() > -2:
        from pytest_kubelb.report import summary

        summary.show(terminalreporter, config)
    if stash.UNWRITTEN in config.stash:
        terminalreporter.write_line(config.stash[stash.UNWRITTEN], red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the record and write the JSON report, after the fixtures have put the testbed back."""
    config = session.config
    if stash.RECORD not in config.stash:
        return
    from pytest_kubelb import recording
    from pytest_kubelb.report import json_report

    destination = config.stash[stash.SETTINGS].json
    try:
        if stash.WRITER in config.stash:
            recording.end(config.stash[stash.WRITER], int(session.exitstatus))
        if destination:
            destination.parent.mkdir(parents=True, exist_ok=True)
            report = json_report.build(config.stash[stash.RECORD])
            config.hook.pytest_kubelb_update_json(config=config, report=report)
            json_report.write(report, destination)
    except (KubelbError, OSError) as error:
        config.stash[stash.UNWRITTEN] = f"kubelb: the record or its JSON report is not complete: {error}"
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


def _settings(config: pytest.Config) -> Settings:
    """Give the settings of the session, read when they are first asked for. Raises ConfigError."""
    if stash.SETTINGS not in config.stash:
        from pytest_kubelb import sources

        config.stash[stash.BACKENDS] = sources.backends(config)
        config.stash[stash.SETTINGS] = sources.resolve(config, config.stash[stash.BACKENDS])
    return config.stash[stash.SETTINGS]


def _settings_lines(config: pytest.Config) -> list[str]:
    """Give the effective settings as one line, the first time only."""
    shown = [f"{name} {text} ({origin})" for name, text, origin in config.stash[stash.SETTINGS].effective()]
    first = not config.stash.get(stash.SHOWN, False)
    config.stash[stash.SHOWN] = True
    return [f"kubelb: {', '.join(shown)}"] if shown and first else []
