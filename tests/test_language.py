"""Help, docstrings, error messages and the README speak in short sentences of standard words."""

import ast
import inspect
import re
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from pathlib import Path

import pytest

from retention_models.cli import _parser
from retention_models.interventions.effects.effect import BREAKING, CEILING
from retention_models.tables.observation_end import LAST_DAY

from .test_public_api import doors

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "retention_models"
LONGEST, MEAN = 35, 18  # words of a sentence
NO_END = "".join(rf"(?<!\b{short}\.)" for short in ("eq", "vs", r"e\.g", r"i\.e", "al")) + r"(?<!\.\.\.)"
NEVER = (  # words of our own, and what to write instead
    (r"\bby lot\b|\bdrawn lots?\b", "at random"),
    (r"\bbought anyway\b|of which anyway", "subsidised purchases"),
    (r"\bone more (has )?costs?\b", "each additional buyer cost"),
    (r"\bwho is (still )?there\b", "active customers"),
    (r"can be trusted with", "data checks"),
    (r"no account is more than a customer", "bulk accounts"),
    (r"how cohorts keep", "cohort retention"),
    (r"how soon (they|customers) come back", "time to the next purchase"),
    (r"the sending did", "is caused by the campaign"),
    (r"\bas to [\"“']", "of"),
    (r"\btells the same\b|\bwhat was asked for\b", "shows"),
    (r"held there: nobody|nobody ever leaves", "no sign of customers leaving"),
    (r"\bof which\b", "two sentences"),
    (r"\bhangs? on\b", "depends on"),
    (r"\bstands? for (it|them)sel(f|ves)\b", "is independent"),
    (r"\b(is|are|was|were|cannot be) told\b|\btold apart\b", "is reported, is estimated"),
    (r"\btells? (apart|how|what|which|whether|of|by|in|that)\b", "distinguishes, shows"),
    (r"\bdear(er)? (contracts?|customers?|offers?)\b", "expensive"),
    (r"\bheld (for|against)\b", "classified as, compared with"),
    (r"\bnought\b|\bthereof\b|\btherein\b|\bwhereof\b|\belse the\b", "a modern word"),
    (r"\bis none of\b", "is not one of"),
    (r"(?<!there )\bis no (amount|column|count|day|file|fit|list|model|number|option|path|share|text)\b", "is not a"),
    (r"\bstands? more than once\b|(?<!that )\b(is|are) there (once|twice)\b", "appears"),
    (r"\bfor good\b|\bwhoever\b", "for ever, a customer who"),
)


def commands(parser: ArgumentParser) -> dict[str, ArgumentParser]:
    """The command line itself and each command, by name."""
    found = [action for action in parser._actions if isinstance(action, _SubParsersAction)]
    below = {name: command for action in found for name, command in action.choices.items()}
    return {parser.prog: parser, **{f"{parser.prog} {name}": command for name, command in below.items()}}


COMMANDS = commands(_parser())


def help_texts(parser: ArgumentParser) -> list[str]:
    """The texts of ``--help``: the description, the titles of groups, and the words on each option."""
    actions = [action for action in parser._actions if isinstance(action.help, str) and action.help != "==SUPPRESS=="]
    described = [action.help % {"prog": parser.prog, "default": action.default} for action in actions]
    return [parser.description or "", parser.epilog or "", *described]


def public_docstrings() -> dict[str, str]:
    """The docstrings of public names, and of the public members of public classes."""
    found = {}
    for door in doors():
        found[door.__name__] = inspect.getdoc(door) or ""
        for name in door.__all__:
            thing = getattr(door, name)
            if inspect.isclass(thing) or inspect.isfunction(thing):
                found |= docstrings_of(thing)
    return found


def docstrings_of(thing: object) -> dict[str, str]:
    """The docstring of a function, or those of a class and of the members that it defines."""
    name = f"{thing.__module__}.{thing.__qualname__}".removeprefix("retention_models.")
    if not inspect.isclass(thing):
        return {name: inspect.getdoc(thing) or ""}
    ours = [base for base in thing.__mro__ if base.__module__.startswith("retention_models")]
    members = {key: inspect.getattr_static(thing, key) for base in ours for key in vars(base) if key[0] != "_"}
    written = {f"{name}.{key}": inspect.getdoc(getattr(member, "__func__", member)) for key, member in members.items()}
    described = {key: text for key, text in written.items() if text and not is_builtin(text)}
    return {name: thing.__doc__ or "", **described}


def is_builtin(text: str) -> bool:
    """Whether a docstring is that of a plain value, such as a dict or a string."""
    return text in {inspect.getdoc(kind) for kind in (str, int, float, bool, dict, tuple, list, frozenset, type(None))}


DOCSTRINGS = public_docstrings()


def raised_texts(path: Path) -> Iterator[tuple[int, str]]:
    """The sentences in ``raise`` statements of a module, what is filled in written as X."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                yield node.lineno, written(argument)


def written(node: ast.AST) -> str:
    """The text of an expression of strings; anything else is an X."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(written, parts))
        case ast.BinOp(left=left, right=right, op=ast.Add()):
            return written(left) + written(right)
        case ast.IfExp(body=body, orelse=other):
            return max(written(body), written(other), key=len)
    return "X"


def sentences(text: str, *, semicolon_ends: bool = False) -> list[str]:
    """The sentences of prose in a text: no code, tables, examples, formulas, types of parameters or references.

    In docstrings, a semicolon ends a sentence: it separates columns and errors in a list.
    """
    text = re.sub(r"```.*?```|\$\$.*?\$\$|<!--.*?-->", "", inspect.cleandoc(text), flags=re.DOTALL)
    text = re.sub(r"^\.\. math::.*?(?=^\S|\Z)", "", text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(
        r"^(References|See Also)\n-{3,}\n.*?(?=^\S[^\n]*\n-{3,}\n|\Z)", "", text, flags=re.MULTILINE | re.DOTALL
    )
    return [
        sentence
        for paragraph in paragraphs(text)
        for sentence in split(paragraph, semicolon_ends)
        if words(sentence) > 2
    ]


def paragraphs(text: str) -> Iterator[str]:
    """What stands together: entries of a list, of a section or between empty lines."""
    in_parameters = in_example = False
    lines: list[str] = []
    rows = text.splitlines()
    for i, row in enumerate(rows):
        underlined = i + 1 < len(rows) and bool(re.fullmatch(r"\s*-{3,}\s*", rows[i + 1])) and row.strip()
        if underlined:
            in_parameters = row.strip() in ("Parameters", "Attributes", "Raises", "Returns", "Yields", "Methods")
        in_example = row.lstrip().startswith(">>>") or (in_example and bool(row.strip()))
        is_entry = in_parameters and row[:1].strip() != ""
        skipped = in_example or underlined or is_entry or re.match(r"\s*(-{3,}|\||#|!\[|={3,})", row)
        if (skipped or not row.strip() or re.match(r"\s*([-*]|\d+\.) ", row)) and lines:
            yield " ".join(lines)
            lines = []
        if not skipped and row.strip():
            lines.append(re.sub(r"^\s*([-*]|\d+\.) ", "", row).strip())
    if lines:
        yield " ".join(lines)


def split(paragraph: str, semicolon_ends: bool) -> list[str]:
    """The sentences of a paragraph; what explains a column, in brackets after its name, is left out."""
    paragraph = re.sub(r"(``?) \([^()]*\)", r"\1", paragraph)
    ends = rf"(?<=[.!?]){NO_END}\s+(?=[\"“`*(]?[A-Z\d`])" + (r"|(?<=;)\s+" if semicolon_ends else "")
    return [part.strip() for part in re.split(ends, paragraph) if part.strip()]


def words(sentence: str) -> int:
    """The number of words; numbers and parts of formulas are none."""
    return len(re.findall(r"(?<![^\s(\"“`*])[A-Za-z][A-Za-z'_-]+|\ba\b(?! [-+=])", sentence))


def faults(*texts: str, semicolon_ends: bool = False) -> list[str]:
    """Sentences that are too long, and those with a word that has a standard one."""
    found = [sentence for text in texts for sentence in sentences(text, semicolon_ends=semicolon_ends)]
    long = [f"{words(sentence)} words: {sentence}" for sentence in found if words(sentence) > LONGEST]
    odd = [
        f"{wrong[0]!r}, rather {better}: {sentence}"
        for sentence in found
        for pattern, better in NEVER
        if (wrong := re.search(pattern, sentence, re.IGNORECASE))
    ]
    return long + odd


def mean_length(*texts: str) -> float:
    """The mean number of words of the sentences."""
    lengths = [words(sentence) for text in texts for sentence in sentences(text)]
    return sum(lengths) / max(len(lengths), 1)


README = (ROOT / "README.md").read_text()
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not {"_data", "_notebooks"} & set(path.parts))


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_short_and_plain(name):
    texts = help_texts(COMMANDS[name])
    assert faults(*texts) == []
    assert mean_length(*texts) <= MEAN


def test_docstrings_are_short_and_plain():
    found = {name: faults(text, semicolon_ends=True) for name, text in DOCSTRINGS.items()}
    assert {name: odd for name, odd in found.items() if odd} == {}


def test_the_sentences_of_docstrings_are_short_on_average():
    assert len(DOCSTRINGS) > 500
    assert mean_length(*DOCSTRINGS.values()) <= MEAN


def test_errors_are_short_and_plain():
    texts = [(path.name, line, text) for path in MODULES for line, text in raised_texts(path)]
    assert {(file, line): found for file, line, text in texts if (found := faults(text))} == {}


def test_the_readme_is_short_and_plain():
    assert faults(README) == []
    assert mean_length(README) <= MEAN


def check_names(path: Path) -> Iterator[str]:
    """The names of checks that a module makes: first arguments of ``Check``, and constants and variables they name."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    values = {
        (target.id if isinstance(target, ast.Name) else ""): node.value
        for node in nodes
        if isinstance(node, ast.Assign)
        for target in node.targets
    }
    for node in nodes:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Check" and node.args:
            first = node.args[0]
            found = values.get(first.id, first) if isinstance(first, ast.Name) else first
            if isinstance(found, ast.Constant):
                yield str(found.value)


def test_checks_are_named_by_nouns_in_sentence_case():
    names = {name for path in MODULES for name in check_names(path)} | {*BREAKING[:4], CEILING, LAST_DAY}
    assert len(names) > 30
    assert [name for name in names if not name[0].isupper() or len(name.split()) > 6 or name.endswith(".")] == []
    assert [name for name in names if re.search(r"\b(is|are|will|belong|belongs|hold|holds)\b", name)] == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The value hangs on the log.", 1),
        ("Short. " * 40, 0),
        ("One " + "word " * 35 + "too many.", 1),
        ("``a`` (" + "word " * 40 + ") is a column.", 0),
        ("A table.\n\n>>> " + "word " * 40, 0),
        ("| " + "word " * 40 + " |", 0),
        ("The value is x = " + "a + " * 40 + "b here.", 0),
    ],
)
def test_faults_are_found(text, found):
    assert len(faults(text)) == found
