"""A stranger's file in one line: five businesses of different shapes, made for the purpose, and hostile input."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import duckdb
import nbformat
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook

import retention_models as rm
from retention_models.cli import main
from retention_models.report.written_tables import write_table

Shape = Callable[[np.random.Generator], pd.DataFrame]
Corruption = Callable[[bytes, np.random.Generator], bytes]

DAY = np.timedelta64(1, "D")
HOSTILE = ('<img src=x onerror="alert(1)">', '=HYPERLINK("http://x","y")', "$\\frac{", "@SUM(1)", "Zoë & Søn; -1")


def daily_coffee(rng: np.random.Generator) -> pd.DataFrame:
    """A coffee bar: regulars on most weekdays, sometimes twice a day; times of day; few euros."""
    rows = []
    for customer in range(400):
        start, chance, stays = rng.integers(0, 90), rng.beta(1.5, 3), rng.exponential(120)
        days = np.arange(start, min(180, start + stays)).astype(int)
        open_days = days[(days % 7 < 5) | (rng.random(len(days)) < 0.2)]
        visits = np.r_[start, open_days[rng.random(len(open_days)) < chance]]
        twice = visits[rng.random(len(visits)) < 0.15]
        moments = np.concatenate([visits * 1440 + rng.integers(420, 660, len(visits)), twice * 1440 + 840])
        rows.append(pd.DataFrame({"user": f"card-{customer:04d}", "minute": moments}))
    log = pd.concat(rows)
    log["ts"] = pd.Timestamp("2024-03-04") + pd.to_timedelta(log.pop("minute"), unit="min")
    return log.assign(total=rng.choice([2.5, 2.9, 3.4, 4.2], len(log)))


def yearly_renewals(rng: np.random.Generator) -> pd.DataFrame:
    """Insurance paid once a year, near the anniversary, by four fifths each time; five years of it."""
    start = rng.integers(0, 5 * 365, 3_000)
    year = np.arange(5)
    kept = (rng.random((3_000, 5)) < 0.8).cumprod(axis=1).astype(bool)
    kept = np.c_[np.ones(3_000, dtype=bool), kept[:, :-1]]
    day = start[:, None] + 365 * year + rng.integers(-6, 7, (3_000, 5)) * (year > 0)
    premium = rng.gamma(9, 50, 3_000).round(2)[:, None] * 1.03**year
    customer = np.broadcast_to(np.arange(3_000)[:, None], day.shape)
    seen = kept & (day < 5 * 365)
    return pd.DataFrame(
        {"user": customer[seen], "ts": np.datetime64("2019-01-01") + day[seen] * DAY, "total": premium[seen].round(2)}
    )


def wholesaler(rng: np.random.Generator) -> pd.DataFrame:
    """Eighty accounts that order about weekly, credit notes among it, and one that is a third of everything."""
    rows = []
    names = [*HOSTILE, *(f"Account {n:02d}" for n in range(75))]
    for number, name in enumerate(names):
        every, stays = rng.gamma(4, 2), rng.exponential(700)
        gaps = rng.gamma(2, every / 2, 400) if number else np.full(800, 0.8)
        days = rng.integers(0, 60) + np.r_[0, np.cumsum(gaps)]
        days = days[days < min(540, stays + 100)] if number else days[days < 540]
        amount = rng.lognormal(5.5, 0.6) * rng.lognormal(0, 0.4, len(days)) * (1 if number else 8)
        amount[rng.random(len(days)) < 0.03] *= -1
        rows.append(pd.DataFrame({"user": name, "ts": days.astype(int), "total": amount.round(2)}))
    log = pd.concat(rows)
    log["ts"] = (pd.Timestamp("2023-01-02") + pd.to_timedelta(log["ts"], unit="D")).dt.strftime("%Y-%m-%d")
    return log


def disguised_subscription(rng: np.random.Generator) -> pd.DataFrame:
    """A box a month, charged on the same day of the month until it is cancelled."""
    months = rng.geometric(0.07, 1_500)
    customer = np.repeat(np.arange(1_500), months)
    paid = np.arange(len(customer)) - np.repeat(np.cumsum(months) - months, months)
    month = np.datetime64("2022-06", "M") + rng.integers(0, 24, 1_500)[customer] + paid
    day = month.astype("datetime64[D]") + rng.integers(0, 28, 1_500)[customer]
    log = pd.DataFrame({"user": customer, "ts": day, "total": np.where(customer % 3 == 0, 19.99, 9.99)})
    return log[day < np.datetime64("2024-06-01")]


def one_month(rng: np.random.Generator) -> pd.DataFrame:
    """A shop's export of the last thirty days."""
    count = rng.geometric(0.5, 1_200)
    days = rng.uniform(0, 30, count.sum())
    log = pd.DataFrame({"user": np.repeat(np.arange(1_200), count), "ts": days.astype(int)})
    log["ts"] = (pd.Timestamp("2024-05-01") + pd.to_timedelta(log["ts"], unit="D")).dt.strftime("%Y-%m-%d")
    return log.assign(total=rng.gamma(2, 15, len(log)).round(2))


SHAPES: tuple[Shape, ...] = (
    daily_coffee,
    yearly_renewals,
    wholesaler,
    disguised_subscription,
    one_month,
)


@pytest.fixture(scope="module")
def hostile_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's log in which the most frequent customers have ids that mean mischief."""
    shop = rm.ParetoNBD(r=0.55, alpha=6.0, s=0.61, beta=11.7)
    log = shop.simulate_transactions(np.full(300, 39.0), np.random.default_rng(1), start="2025-01-06", time_unit="W")
    names = dict(zip(log["customer_id"].value_counts().index, HOSTILE, strict=False))
    log["customer_id"] = log["customer_id"].map(lambda n: names.get(n, f"C{n}"))
    path = tmp_path_factory.mktemp("hostile") / "log.csv"
    log.assign(amount=10.0).to_csv(path, index=False)
    return path


def test_no_cell_of_a_score_file_is_a_formula(hostile_log: Path, tmp_path: Path) -> None:
    score(hostile_log, tmp_path)
    with (tmp_path / "scores.csv").open(encoding="utf-8", newline="") as file:
        ids = [row[0] for row in csv.reader(file)]
    for name in HOSTILE:
        assert (f"'{name}" if name[0] in "=+-@\t\r" else name) in ids
    assert not [name for name in ids if name.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_separator_in_an_id_splits_no_cell_in_any_country(hostile_log: Path, tmp_path: Path) -> None:
    score(hostile_log, tmp_path)
    text = (tmp_path / "scores.csv").read_text(encoding="utf-8")
    for separator in ",;\t":
        cells = {cell for row in csv.reader(text.splitlines(), delimiter=separator) for cell in row}
        assert not [cell for cell in cells if cell.startswith(("=", "@", "-1"))]


def test_numbers_in_a_score_file_stay_numbers(tmp_path: Path) -> None:
    table = pd.DataFrame({"score": [-0.5, 1e-9], "count": [-1, 2]}, index=pd.Index([-7, 8], name="customer_id"))
    write_table(table, tmp_path / "scores.csv")
    assert (tmp_path / "scores.csv").read_text() == '"customer_id","score","count"\n-7,-0.5,-1\n8,1e-09,2\n'


def test_ids_in_parquet_stay_as_they_are(hostile_log: Path, tmp_path: Path) -> None:
    score(hostile_log, tmp_path, ending="parquet")
    assert set(HOSTILE) <= set(duckdb.read_parquet(str(tmp_path / "scores.parquet")).df()["customer_id"])


def test_a_page_and_its_pictures_show_hostile_ids_as_text(hostile_log: Path, tmp_path: Path) -> None:
    source = tmp_path / "hostile.ipynb"
    cells = [
        new_code_cell("import retention_models as rm\nfrom retention_models import evaluation, plots"),
        new_code_cell("transactions = None", metadata={"tags": ["parameters"]}),
        new_code_cell(
            "customers = rm.summarize(transactions)\nfit = rm.fit(rm.BGNBD, customers)\n"
            "customers.sort_values('frequency').tail(9)"
        ),
        new_code_cell("customers.index.to_frame().tail(300).to_string()"),
        new_code_cell("rm.Check('ids', False, ' '.join(customers.index))"),
        *(
            new_code_cell(f"ax = plots.plot_alive_history(evaluation.alive_history(fit, transactions, {name!r}))")
            for name in HOSTILE
        ),
        new_code_cell("print(*customers.index)", metadata={"tags": ["decision"]}),
    ]
    nbformat.write(new_notebook(cells=cells), source)
    assert main(["report", str(source), "--transactions", str(hostile_log), "--output", str(tmp_path)]) == 0
    for name in ("hostile.html", "index.html"):
        page = (tmp_path / name).read_text(encoding="utf-8")
        assert "<img src=x" not in page
        assert "onerror=&" in page or 'onerror="' not in page
        assert "&lt;img src=x" in page
    assert page.count("<article>") == 1
    assert (tmp_path / "hostile.html").read_text(encoding="utf-8").count("data:image/svg+xml") == len(HOSTILE)


def score(log: Path, folder: Path, ending: str = "csv") -> None:
    """Fit a model to a log and score it, from file to file."""
    fit = str(folder / "fit.json")
    assert main(["fit", "--transactions", str(log), "--model", "BGNBD", "--output", fit]) == 0
    output = str(folder / f"scores.{ending}")
    assert main(["predict", "--fit", fit, "--transactions", str(log), "--horizon", "8", "--output", output]) == 0


def shuffled(text: bytes, rng: np.random.Generator) -> bytes:
    names, *lines = text.splitlines(keepends=True)
    rng.shuffle(lines)
    return b"".join([names, *lines])


def duplicated(text: bytes, rng: np.random.Generator) -> bytes:
    names, *lines = text.splitlines(keepends=True)
    return b"".join([names, *(line * int(rng.geometric(0.7)) for line in lines)])


def truncated(text: bytes, rng: np.random.Generator) -> bytes:
    return text[: rng.integers(len(text))]


def beheaded(text: bytes, rng: np.random.Generator) -> bytes:
    return text[rng.integers(1, len(text)) :]


def spoilt(text: bytes, rng: np.random.Generator, letters: bytes = bytes(range(256))) -> bytes:
    spoilt = np.frombuffer(text, dtype=np.uint8).copy()
    places = rng.integers(0, len(text), rng.integers(1, 100))
    spoilt[places] = rng.choice(list(letters), len(places))
    return spoilt.tobytes()


def mistyped(text: bytes, rng: np.random.Generator) -> bytes:
    return spoilt(text, rng, b'0123456789-:., ;"\n\r\t\0\x1b')


def swapped_columns(text: bytes, rng: np.random.Generator) -> bytes:
    names, *lines = text.splitlines()
    cells = [np.array(line.split(b","), dtype=object) for line in lines]
    return b"\n".join([names, *(b",".join(rng.permutation(row) if rng.random() < 0.3 else row) for row in cells)])


def renamed_columns(text: bytes, rng: np.random.Generator) -> bytes:
    names, rest = text.split(b"\n", 1)
    return b",".join(rng.permutation(names.split(b","))) + b"\n" + rest


def emptied(text: bytes, rng: np.random.Generator) -> bytes:
    names, rest = text.split(b"\n", 1)
    return (
        names + b"\n" + b",".join(cell if rng.random() < 0.9 else b"\n"[: b"\n" in cell] for cell in rest.split(b","))
    )


CORRUPTIONS = (
    shuffled,
    duplicated,
    truncated,
    beheaded,
    spoilt,
    mistyped,
    swapped_columns,
    renamed_columns,
    emptied,
)


def outcome(log: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit code of ``fit`` on a log, and what it complains about; a traceback would raise here."""
    capsys.readouterr()
    output = str(log.with_name("fit.json"))
    code = main(["fit", "--transactions", str(log), "--model", "BGNBD", "--output", output])
    return code, capsys.readouterr().err


@pytest.fixture(scope="module")
def sound_log() -> pd.DataFrame:
    shop = rm.ParetoNBD(r=0.55, alpha=6.0, s=0.61, beta=11.7)
    log = shop.simulate_transactions(np.full(150, 39.0), np.random.default_rng(2), start="2025-01-06", time_unit="W")
    return log.assign(amount=np.random.default_rng(3).gamma(2, 10, len(log)).round(2))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.parametrize("corrupt", CORRUPTIONS, ids=lambda corrupt: corrupt.__name__)
def test_a_damaged_file_gives_a_fit_or_a_sentence(
    sound_log: pd.DataFrame, corrupt: Corruption, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"log.{kind}"
    sound_log.to_csv(path, index=False) if kind == "csv" else sound_log.to_parquet(path)
    sound = path.read_bytes()
    for seed in range(4):
        path.write_bytes(corrupt(sound, np.random.default_rng(seed)))
        code, complaint = outcome(path, capsys)
        assert code in (0, 1)
        if code:
            assert complaint.startswith("retention-models: ")
            sentence, *below = complaint.splitlines()
            assert [line[:20] for line in below] in ([], ["On the command line:"])
            assert len(sentence) > 40


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(alphabet="customer_id,date amount\n20254-01:\"';\t", max_size=200))
def test_whatever_a_file_holds_there_is_a_sentence(
    content: bytes | str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "log.csv"
    path.write_bytes(content if isinstance(content, bytes) else f"customer_id,date,amount\n{content}".encode())
    code, complaint = outcome(path, capsys)
    assert code == 1
    assert [line[:20] for line in complaint.splitlines()[1:]] in ([], ["On the command line:"])


def test_the_order_and_the_doubles_of_rows_do_not_matter(sound_log: pd.DataFrame, tmp_path: Path) -> None:
    sound_log.to_csv(tmp_path / "log.csv", index=False)
    text, expected = (tmp_path / "log.csv").read_bytes(), rm.logs.histories(tmp_path / "log.csv")
    for corrupt in (shuffled, duplicated):
        (tmp_path / "log.csv").write_bytes(corrupt(text, np.random.default_rng(0)))
        pd.testing.assert_frame_equal(rm.logs.histories(tmp_path / "log.csv"), expected)


@pytest.mark.slow
def test_a_million_damaged_rows_are_counted_or_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, n = np.random.default_rng(4), 900_000
    day = np.datetime64("2023-01-01") + rng.integers(0, 700, n) * DAY
    log = pd.DataFrame({"customer_id": rng.zipf(1.5, n) % 100_000, "date": day, "amount": rng.integers(1, 99, n)})
    path = tmp_path / "log.csv"
    duckdb.from_df(log).write_csv(str(path))
    names, *lines = path.read_bytes().splitlines(keepends=True)
    lines += [lines[place] for place in rng.integers(0, n, 80_000)]
    lines += [b",2023-05-01,3\n", b"7,31.02.2024,3\n", b"7,soon,3\n", b"7,2023-05-01,n/a\n"] * 5_000
    path.write_bytes(b"".join([names, *(lines[place] for place in rng.permutation(len(lines)))]))
    assert rm.logs.histories(path).attrs["set_aside"] == {
        "rows without a customer_id": 5_000,
        "rows without a readable date": 10_000,
        "rows without a finite amount": 5_000,
    }
    text = path.read_bytes()
    path.write_bytes(text[: text.index(b",", len(text) // 2)])
    code, complaint = outcome(path, capsys)
    assert code == 1
    assert complaint.startswith(f"retention-models: {path} cannot be read: each line must have as many values as")


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.__name__)
def test_each_business_ends_in_a_report(shape: Shape, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "orders.csv"
    european = shape is wholesaler
    shape(np.random.default_rng(1)).to_csv(
        path, index=False, sep=";" if european else ",", decimal="," if european else "."
    )
    columns = ["--customer-id", "user", "--date", "ts", "--amount", "total"]
    code = main(["report", "--transactions", str(path), *columns, "--output", str(tmp_path / "reports")])
    assert code == 0, capsys.readouterr().err
    pages = [page for page in (tmp_path / "reports").glob("*.html") if page.name != "index.html"]
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert 'class="decision"' in text
        assert not re.search(r"\b(nan|NaN|NaT)\b|<img src=x|Traceback", text)
        assert str(tmp_path) not in text
