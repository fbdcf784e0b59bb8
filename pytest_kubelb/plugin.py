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
            bare: dict[str, str] = {"nargs": "?", "const": option.bare} if option.bare else {}
            group.addoption(option.flag, dest=option.ini, metavar=option.metavar, help=text, **bare)
        parser.addini(option.ini, f"{option.help} (as {option.flag})", default=None)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Make the hooks of hookspecs.py known."""
    from pytest_kubelb import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and refuse misuse on the command line before anything is started."""
    config.addinivalue_line(
        "markers",
        "kubelb(*, backend, pods, overlay, tuning, runs, duration, tolerance, max_drop): measure this bench at these "
        "points and with these settings instead of the session's; each point carries its own backend, pods, "
        "overlay and tuning, so that -m \"kubelb(pods=8, backend='proxy')\" selects it.",
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
            item.extra_keyword_matches.update((point.backend, point.overlay, point.tuning))
    result = yield
    try:
        selection.check_baseline(config)
        selection.order(config, items)
        config.stash[stash.PLAN] = selection.plan(config, items)
    except ConfigError as error:
        raise pytest.UsageError(str(error)) from error
    if not (config.option.collectonly or config.stash[stash.SETTINGS].plan):
        from pytest_kubelb import onscreen

        onscreen.register(config, items)
        if stash.RESUMING in config.stash:
            from pytest_kubelb.resume import kept_items

            config.pluginmanager.register(kept_items.KeptItems(config), "kubelb-kept-items")
    return result


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Print what is going to be measured and how long it will take; with --collect-only that is all."""
    if stash.PLAN not in config.stash:
        return ["kubelb plan: no point is selected."] if _only_plan(config) else []
    from pytest_kubelb import opening
    from pytest_kubelb.report import plan

    width, planned = config.get_terminal_writer().fullwidth, config.stash[stash.PLAN]
    resuming = config.stash.get(stash.RESUMING, None)
    return [
        *_settings_lines(config),
        *(plan.kept(resuming, config.stash[stash.PLANNED]) if resuming else []),
        *(
            plan.lines(planned, width, is_resumed=resuming is not None)
            if _only_plan(config)
            else plan.summary(planned)
        ),
        *opening.lab_lines(config.stash[stash.SETTINGS], (point.tuning for point in planned.each)),
    ]


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With --kubelb-plan, run nothing."""
    return True if _only_plan(session.config) else None


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
    if call.when == "call" and stash.KEEPING in item.config.stash:
        from pytest_kubelb import judging

        judging.keep(item.config, call)
    report = yield
    if call.when == "call" and stash.LINE in item.stash:
        vars(report)["kubelb_line"] = item.stash[stash.LINE]
    return report


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """End the record and write the reports, after the fixtures have put the testbed back."""
    config = session.config
    if stash.RECORD not in config.stash:
        return
    from pytest_kubelb import opening

    try:
        with opening.writing():
            from pytest_kubelb import recording
            from pytest_kubelb.report import session_end

            if stash.WRITER in config.stash:
                recording.end(config.stash[stash.WRITER], int(session.exitstatus))
            session_end.write(config)
    except KubelbError as error:
        config.stash[stash.UNWRITTEN] = f"kubelb: the record or a report of it is not complete: {error}"
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
    except KeyboardInterrupt:  # pytest would take it for a fault of the plugin's
        session.exitstatus = pytest.ExitCode.INTERRUPTED


def _settings(config: pytest.Config) -> Settings:
    """Give the settings of the session, read when they are first asked for. Raises ConfigError."""
    if stash.SETTINGS not in config.stash:
        from pytest_kubelb import sources

        config.stash[stash.BACKENDS] = sources.backends(config)
        config.stash[stash.SETTINGS] = sources.resolve(config, config.stash[stash.BACKENDS])
        if config.stash[stash.SETTINGS].resume is not None:
            from pytest_kubelb.resume import session as resuming

            resuming.choose(config)
    return config.stash[stash.SETTINGS]


def _only_plan(config: pytest.Config) -> bool:
    return stash.SETTINGS in config.stash and config.stash[stash.SETTINGS].plan


def _settings_lines(config: pytest.Config) -> list[str]:
    """Give the effective settings as one line, the first time only."""
    shown = [f"{name} {text} ({origin})" for name, text, origin in config.stash[stash.SETTINGS].effective()]
    first = not config.stash.get(stash.SHOWN, False)
    config.stash[stash.SHOWN] = True
    return [f"kubelb: {', '.join(shown)}"] if shown and first else []
