"""Run notebooks: ``report`` on the data they bring along, on a project or on a file, and a command for each kind."""

from __future__ import annotations

import sys
from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from retention_models.cli.options import given
from retention_models.cli.project import NAME, SOURCES, Project, read_project
from retention_models.cli.register import REGISTER
from retention_models.cli.sources import (
    Source,
    require_settings_without_option,
    select_source,
    stated_parameters,
)
from retention_models.report.errors import ReportError, RequestError

SAMPLE = "No file was named, and there is no project.toml here: the pages are about the embedded sample data."
_EXTRA = ("ipykernel", "jinja2", "latex2mathml", "nbclient", "nbconvert", "nbformat")


def add_report(parser: ArgumentParser) -> None:
    """Add the options of ``report``, and what carries it out."""
    parser.description = (
        "Run notebooks, and write a self-contained HTML page for each and an index of all pages. The data are the "
        "files "
        "of project.toml, if it exists, or one file. Otherwise they are the embedded data."
    )
    pages = parser.add_argument_group("the notebooks")
    pages.add_argument(
        "notebooks",
        nargs="*",
        metavar="NOTEBOOK",
        help="number, name or path of a notebook (default: all that have data)",
    )
    files = parser.add_argument_group("one file, with the options of the command of its kind")
    for source in SOURCES:
        files.add_argument(
            f"--{source.name}", type=Path, metavar="FILE", help=f"see retention-models {source.section} --help"
        )
    _add_pages(parser)
    added: set[str] = set()
    for source in SOURCES:
        for name, option in source.every_option.items():
            if name not in added:
                option.add(parser, help=SUPPRESS)
            added.add(name)
    parser.set_defaults(run=_run_report)


def add_command(parser: ArgumentParser, source: Source) -> None:
    """Add the options of the command for one kind of file, and what carries it out."""
    parser.usage = f"retention-models {source.section} [FILE] [NOTEBOOK ...] [options]"
    parser.description = (
        f"Run the notebooks on {source.what}, and write a page for each notebook. Options override {NAME}."
    )
    group = parser.add_argument_group(source.what)
    group.add_argument(source.name, nargs="?", type=Path, metavar="FILE", help=source.file_help)
    group.add_argument(
        "notebooks", nargs="*", metavar="NOTEBOOK", help="number, name or path of a notebook (default: all)"
    )
    source.add_options(parser)
    _add_pages(parser)

    def run(options: Namespace) -> None:
        _run(_without_file(options, source), source)

    parser.set_defaults(run=run)


def _without_file(options: Namespace, source: Source) -> Namespace:
    """The options, with what stands in the place of the file as a notebook if it is one, and the project has a file."""
    from retention_models.report.notebook import find_notebooks

    first = getattr(options, source.name)
    if first is None or first.exists() or not read_project(options.project).has(source):
        return options
    try:
        find_notebooks([str(first)])
    except RequestError:
        return options
    return Namespace(**vars(options) | {source.name: None, "notebooks": [str(first), *options.notebooks]})


def _add_pages(parser: ArgumentParser) -> None:
    pages = parser.add_argument_group("the pages")
    pages.add_argument(
        "--output", type=Path, default=Path("reports"), metavar="FOLDER", help="folder of the pages (default: reports)"
    )
    pages.add_argument(
        "--project", type=Path, metavar="FILE", help="project file (default: project.toml, if there is one)"
    )
    pages.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="replace a constant of the notebook's parameters cell; repeatable",
    )
    pages.add_argument("--show-code", action="store_true", help="show the code instead of hiding it in folds")
    pages.add_argument("-h", "--help", action="help", help="show this help")


def _run_report(options: Namespace) -> None:
    if select_source(options, SOURCES) is None and options.register is not None:
        options = Namespace(**vars(options) | {REGISTER.name: options.register, "register": None})
    _run(options, select_source(options, SOURCES))


@dataclass(frozen=True, slots=True)
class _Job:
    """Notebooks to run with the same settings."""

    notebooks: list[Path]
    settings: Mapping[str, object]


def _run(options: Namespace, source: Source | None) -> None:
    """Check everything, run the notebooks of each kind of file, and print where the index is."""
    _need_extra()
    from retention_models.report.notebook import find_notebooks
    from retention_models.report.parameters import parse_settings
    from retention_models.report.publish import publish

    settings = parse_settings(options.set)
    project = read_project(options.project)
    sources = [source] if source else [each for each in SOURCES if project.has(each)]
    if source is None and project.path is not None and not sources:
        raise RequestError(f'{project.path} has no file; add one, such as file = "orders.csv" below [purchases]')
    require_settings_without_option(settings, SOURCES, source)
    _require_own_options(options, sources)
    if project.path is not None:
        print(f"Using {project.path}.", file=sys.stderr)
    notebooks = find_notebooks(options.notebooks)
    jobs, problems = _prepare_all(options, project, sources, notebooks, settings)
    if not sources:
        jobs = [_Job(notebooks, stated_parameters(options, SOURCES) | settings)]
    jobs = [job for job in jobs if job.notebooks]
    if not jobs and not problems:
        raise RequestError(f"none of the notebooks takes {' or '.join(each.what for each in sources)}")
    _require_one_writer(options, jobs)
    for job in jobs:
        index = publish(job.notebooks, options.output, settings=job.settings, show_code=options.show_code)
    if not (sources or options.notebooks):
        print(SAMPLE, file=sys.stderr)
    if jobs:
        print(index)
    if problems:
        raise ReportError("; ".join(f"no page of {what}: {error}" for what, error in problems.items()))


def _prepare_all(
    options: Namespace, project: Project, sources: Sequence[Source], notebooks: list[Path], asked: Mapping[str, object]
) -> tuple[list[_Job], dict[str, ValueError | ReportError]]:
    """What to run for each kind of file, and why there is nothing for some of them, unless only one was asked for."""
    jobs, problems = [], {}
    for source in sources:
        try:
            jobs.append(_prepare(options, project, source, notebooks, asked))
        except RequestError:
            raise
        except (ValueError, ReportError) as error:
            if len(sources) == 1:
                raise
            problems[source.what] = error
    return jobs, problems


def _require_own_options(options: Namespace, sources: Sequence[Source]) -> None:
    """An error for an option that only another kind of file has."""
    if not sources:
        return
    own = {name for source in sources for name in source.every_option}
    everything = {name: option for source in SOURCES for name, option in source.every_option.items()}
    for name in given(options, everything.keys() - own):
        raise RequestError(
            f"{everything[name].flag} is not an option of {' or '.join(source.what for source in sources)}; see "
            f"retention-models {sources[0].section} --help"
        )


def _require_one_writer(options: Namespace, jobs: Sequence[_Job]) -> None:
    """An error where several notebooks would write the same file, each over that of the other."""
    files = {name for source in SOURCES for name, option in source.every_option.items() if option.is_output}
    for name in given(options, sorted(files)):
        asked = [path for job in jobs for path in job.notebooks if name in job.settings]
        parameters = _parameters(asked)
        writers = [path.stem for path in asked if name in parameters[path]]
        if len(writers) > 1:
            raise RequestError(
                f"--{name} names one file, and {' and '.join(writers)} would write it; name one of the notebooks, or a "
                f"file of its own in each section of {NAME}"
            )


def _prepare(
    options: Namespace, project: Project, source: Source, notebooks: list[Path], asked: Mapping[str, object]
) -> _Job:
    """The notebooks that take a kind of file, and their settings, once the file is checked."""
    complete, stated = project.complete(options, source), stated_parameters(options, [source])
    if getattr(complete, source.name) is None:
        raise RequestError(
            f"name {source.what}: retention-models {source.section} FILE, or file = ... below [{source.section}] in a "
            "project file"
        )
    parameters = _parameters(notebooks)
    taking = [path for path in notebooks if source.name in parameters[path]]
    chosen = taking or (notebooks if source.name in stated else [])
    known = {path.stem: parameters[path] for path in chosen}
    without = source.check(complete, known, named=bool(options.notebooks)) if chosen else {}
    for name, reason in without.items():
        print(f"No page of {name}: {reason}", file=sys.stderr)
        _remove_page(options.output / f"{name}.html")
    everything = set().union(*known.values())
    there = set().union(*(known[name] for name in known.keys() - without.keys()))
    for name in stated.keys() & (everything - there):
        print(f"Not used: {name}, which only such pages take", file=sys.stderr)
    there |= stated.keys() - everything  # which none of them knows: an error
    settings = {name: value for name, value in source.settings(complete).items() if name in there}
    return _Job([path for path in chosen if path.stem not in without], {**settings, **asked})


def _remove_page(page: Path) -> None:
    """Remove a page that an earlier run made, and that this run cannot make again."""
    from retention_models.report.index import read_entries

    if page.is_file() and read_entries([page]):
        page.unlink()
        print(f"Removed {page}, made by an earlier run", file=sys.stderr)


def _parameters(notebooks: Sequence[Path]) -> dict[Path, Collection[str]]:
    from retention_models.report.notebook import read_notebook
    from retention_models.report.parameters import read_parameters

    return {path: read_parameters(read_notebook(path)).keys() for path in notebooks}


def _need_extra() -> None:
    missing = [module for module in _EXTRA if find_spec(module) is None]
    if missing:
        raise ReportError(f"reports need {', '.join(missing)}; pip install 'retention-models[notebooks]'")
