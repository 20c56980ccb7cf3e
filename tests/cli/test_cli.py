import re
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import duckdb
import nbformat
import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models import __version__
from retention_models.cli import main, report
from retention_models.cli.options import on_command_line
from retention_models.cli.project import SOURCES
from retention_models.logs.transactions.opportunities import opportunities
from retention_models.report import publish as publishing

HEAVY = "{'numpy', 'pandas', 'matplotlib', 'duckdb', 'nbformat', 'nbclient', 'nbconvert', 'jinja2', 'tqdm'}"


def test_help_loads_nothing_heavy() -> None:
    code = f"""
import sys
from retention_models.cli import main, report
from retention_models.cli.options import on_command_line
from retention_models.cli.project import SOURCES
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
assert not {HEAVY} & sys.modules.keys(), {HEAVY} & sys.modules.keys()
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "report" in result.stdout


def test_the_package_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "retention_models", "--version"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stdout == f"retention-models {__version__}\n"


@pytest.fixture
def notebook(tmp_path: Path) -> str:
    path = tmp_path / "any.ipynb"
    nbformat.write(nbformat.v4.new_notebook(), path)
    return str(path)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What the command asked to be published, instead of publishing it."""
    calls: list[tuple] = []

    def publish(notebooks, output, **options):
        calls.append((notebooks, output, options))
        return output / "index.html"

    monkeypatch.setattr(publishing, "publish", publish)
    return calls


def test_report_prints_where_the_index_is(
    asked: list[tuple], notebook: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["report", notebook, "--output", "pages", "--set", "weeks=52", "--set", "name=Ada", "--show-code"]
    assert main(arguments) == 0
    assert asked == [([Path(notebook)], Path("pages"), {"settings": {"weeks": 52, "name": "Ada"}, "show_code": True})]
    assert capsys.readouterr().out.split() == [str(Path("pages", "index.html"))]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["report", "nothing_of_that_name"], "retention-models: no notebook nothing_of_that_name; there is"),
        (["report", "--set", "weeks"], "retention-models: --set takes NAME=VALUE, not 'weeks'"),
    ],
)
def test_a_wrong_request_is_one_sentence(
    asked: list[tuple], arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert error.count("\n") == 1
    assert not asked


@pytest.mark.parametrize("arguments", [[], ["predict_the_weather"], ["report", "--colour"]])
def test_an_unknown_command_or_option_exits_with_two(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert "usage: retention-models" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--margin", "30", "got 30.0; did you mean 0.3?"),
        ("--margin", "a third", "expected a number, not 'a third'"),
        ("--annual-discount-rate", "nan", "annual_discount_rate must be 0 or above and below 1"),
        ("--annual-discount-rate", "15", "got 15.0; did you mean 0.15?"),
    ],
)
def test_shares_in_percent_are_refused_at_the_door(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["report", "--transactions", "a.csv", option, value])
    assert message in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(report, "find_spec", lambda module: None if module == "nbclient" else object())
    assert main(["report"]) == 1
    assert (
        capsys.readouterr().err
        == "retention-models: reports need nbclient; pip install 'retention-models[notebooks]'\n"
    )


def test_a_folder_in_the_way_is_a_failure(notebook: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    assert main(["report", notebook, "--output", str(tmp_path / "file")]) == 1
    assert "cannot write reports to" in capsys.readouterr().err


def test_an_interruption_shows_no_traceback(monkeypatch, notebook: str, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(publishing, "publish", interrupt)
    assert main(["report", notebook]) == 130
    assert capsys.readouterr().err == "retention-models: interrupted\n"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's log under names of its own: user, ts, total; ids are text, one of them a formula."""
    shop = rm.ParetoNBD(r=0.55, alpha=10.6, s=0.61, beta=11.7)
    rng = np.random.default_rng(1)
    log = shop.simulate_transactions(np.linspace(10, 39, 400), rng, start="2025-01-06", time_unit="W")
    ids = log["customer_id"].map(lambda n: "=1+1" if n == 0 else f"C{n:03d}")
    path = tmp_path_factory.mktemp("shop") / "orders.csv"
    frame = pd.DataFrame({"user": ids, "ts": log["date"], "total": rng.gamma(2, 10, len(log)).round(2)})
    frame.loc[7, "total"] = -5
    frame.to_csv(path, index=False)
    return path


def read(orders: Path, *options: str) -> list[str]:
    return ["--transactions", str(orders), "--customer-id", "user", "--date", "ts", "--amount", "total", *options]


def with_parameters(path: Path, *names: str) -> str:
    cell = nbformat.v4.new_code_cell("\n".join(f"{name} = 1" for name in names), metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return str(path)


def test_a_log_of_ones_own_sets_every_parameter(asked: list[tuple], orders: Path, tmp_path: Path) -> None:
    names = (
        "transactions",
        "customer_id",
        "date",
        "amount",
        "calibration_end",
        "time_unit",
        "horizon",
        "margin",
        "currency",
    )
    notebook = with_parameters(tmp_path / "any.ipynb", *names, "other")
    assert main(["report", notebook, *read(orders, "--horizon", "8", "--margin", "0.3")]) == 0
    ((notebooks, _, options),) = asked
    assert notebooks == [Path(notebook)]
    assert options["settings"] == {
        "transactions": orders,
        "customer_id": "user",
        "date": "ts",
        "amount": "total",
        "calibration_end": None,
        "time_unit": None,
        "horizon": 8,
        "currency": None,
        "margin": 0.3,
    }


def test_no_amount_is_none(asked: list[tuple], orders: Path, tmp_path: Path) -> None:
    notebook = with_parameters(tmp_path / "any.ipynb", "transactions", "customer_id", "date", "amount")
    arguments = ["--transactions", str(orders), "--customer-id", "user", "--date", "ts", "--no-amount"]
    assert main(["report", notebook, *arguments]) == 0
    assert asked[0][2]["settings"]["amount"] is None


def test_a_log_of_ones_own_goes_to_the_notebooks_that_take_one(
    asked: list[tuple], orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taking = with_parameters(tmp_path / "1.ipynb", "transactions", "customer_id", "date", "amount")
    with_parameters(tmp_path / "2.ipynb", "contracts")
    monkeypatch.setattr("retention_models.report.notebook.project_folder", lambda _: tmp_path)
    assert main(["report", *read(orders)]) == 0
    assert asked[0][0] == [Path(taking)]


def test_options_without_a_log_change_the_embedded_report(asked: list[tuple], tmp_path: Path) -> None:
    notebook = with_parameters(tmp_path / "any.ipynb", "transactions", "horizon")
    assert main(["report", notebook, "--horizon", "52"]) == 0
    assert asked[0][2]["settings"] == {"horizon": 52}


def test_a_log_too_short_to_judge_by_is_refused_before_anything_runs(
    asked: list[tuple], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = pd.DataFrame({"customer_id": [1, 1, 2], "date": ["2024-01-01", "2024-01-05", "2024-01-09"], "amount": 1})
    log.to_csv(tmp_path / "log.csv", index=False)
    judged = with_parameters(tmp_path / "forecast.ipynb", "transactions", "calibration_end")
    told = with_parameters(tmp_path / "customers.ipynb", "transactions")
    assert main(["report", told, judged, "--transactions", str(tmp_path / "log.csv")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("retention-models: forecast cannot run on this log. Nothing is kept back")
    assert "the log covers 9 days and has 1 purchase by customers who came back" in error
    assert main(["report", told, "--transactions", str(tmp_path / "log.csv")]) == 0
    assert [notebooks for notebooks, _, _ in asked] == [[Path(told)]]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["report", "--set", "transactions=a.csv"], 2, "pass the log as --transactions FILE, not with --set"),
        (
            ["report", "--transactions", "a.csv", "--set", "annual_discount_rate=abc"],
            2,
            "with --transactions pass annual_discount_rate as --annual-discount-rate, not with --set",
        ),
        (["report", "--transactions", "nowhere.csv"], 1, "nowhere.csv: there is no such file"),
        (
            ["fit", "--transactions", "x.csv", "--model", "Oracle", "--output", "f.json"],
            2,
            "there is no purchase model called 'Oracle'; there are BGBB, ",
        ),
        (["fit", "--transactions", "x.csv", "--model", "BGNBD", "--output", "f.txt"], 2, "--output must end in .json"),
        (["fit", "--transactions", "x.csv", "--model", "BGNBD", "--output", "no/f.json"], 2, "there is no folder no"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    asked: list[tuple], arguments: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not asked


def test_a_column_that_is_not_there_is_named_with_those_that_are(
    asked: list[tuple], orders: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "--transactions", str(orders)]) == 1
    assert "the log has no column 'customer_id', 'date', 'amount'; it has user, ts, total." in capsys.readouterr().err
    assert not asked


@pytest.fixture(scope="module")
def fitted(orders: Path) -> Path:
    path = orders.with_name("fit.json")
    options = ("--model", "ParetoNBD", "--time-unit", "W", "--output", str(path))
    assert main(["fit", *read(orders, *options)]) == 0
    return path


def summarized(orders: Path) -> pd.DataFrame:
    return rm.summarize(orders, customer_id="user", date="ts", amount="total")


def test_fit_keeps_what_the_package_fits(orders: Path, fitted: Path) -> None:
    fit = rm.fit(rm.ParetoNBD, summarized(orders))
    assert rm.Fit.from_json(fitted).model == fit.model


def test_fit_takes_the_model_with_the_smaller_aic(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *read(orders, "--output", str(tmp_path / "fit.json"))]) == 0
    found = rm.Fit.from_json(tmp_path / "fit.json")
    fits = [rm.fit(model, summarized(orders)) for model in (rm.MBGNBD, rm.ParetoNBD)]
    best, other = sorted(fits, key=lambda fit: fit.aic)
    assert type(found.model) is type(best.model)
    assert found.aic == pytest.approx(best.aic)
    said = f"{type(other.model).__name__} has an AIC of {other.aic - best.aic:,.1f} more."
    assert said in capsys.readouterr().out


def test_fit_prints_the_model_and_what_was_set_aside(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *read(orders, "--model", "BGNBD", "--output", str(tmp_path / "fit.json"))]) == 0
    printed = capsys.readouterr()
    assert "BGNBD fitted to 400 customers" in printed.out
    assert "Time is measured in weeks" in printed.out
    assert printed.err.startswith("1 return: ")
    assert "gross, 5.00 returned" in printed.err


def test_fit_takes_models_of_spending_too(orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "spend.json"
    assert main(["fit", *read(orders, "--model", "GammaGamma", "--output", str(path))]) == 0
    assert rm.Fit.from_json(path).model == rm.fit(rm.GammaGamma, summarized(orders)).model
    capsys.readouterr()
    request = ["predict", "--fit", str(path), *read(orders, "--horizon", "8", "--output", str(tmp_path / "scores.csv"))]
    assert main(request) == 2
    assert "holds a GammaGamma, which expects no purchases; pass it as --spend" in capsys.readouterr().err


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predict_writes_what_the_package_predicts(orders: Path, fitted: Path, tmp_path: Path, ending: str) -> None:
    scores = tmp_path / f"scores.{ending}"
    options = read(orders, "--horizon", "8", "--level", "0.8", "--output", str(scores))
    assert main(["predict", "--fit", str(fitted), *options]) == 0
    customers = summarized(orders)
    forecast = rm.predict(rm.Fit.from_json(fitted), customers, 8, level=0.8)
    expected = customers[["frequency", "recency", "T"]].join(forecast)
    written = pd.read_csv(scores) if ending == "csv" else duckdb.read_parquet(str(scores)).df()
    if ending == "csv":
        assert written.loc[0, "customer_id"] == "'=1+1"
        written.loc[0, "customer_id"] = "=1+1"
    days = written.pop("next_purchase_day")
    assert days.isna().tolist() == forecast["time_to_next_purchase_p90"].isna().tolist()
    pd.testing.assert_frame_equal(
        written.set_index("customer_id"), expected, check_dtype=False, check_index_type=False, rtol=1e-12
    )
    assert [path.name for path in tmp_path.iterdir()] == [scores.name]


@pytest.fixture(scope="module")
def spending(orders: Path) -> Path:
    path = orders.with_name("spend.json")
    assert main(["fit", *read(orders, "--model", "GammaGamma", "--output", str(path))]) == 0
    return path


MONEY = ("--margin", "0.3", "--annual-discount-rate", "0.15")


def test_predict_writes_the_value_of_each_customer_and_what_an_offer_must_change(
    orders: Path, fitted: Path, spending: Path, tmp_path: Path
) -> None:
    scores = tmp_path / "scores.parquet"
    asked = ["--spend", str(spending), *MONEY, "--offer-cost", "2", "--horizon", "8", "--level", "0.8"]
    assert main(["predict", "--fit", str(fitted), *read(orders, *asked, "--output", str(scores))]) == 0
    purchases, spend = rm.Fit.from_json(fitted), rm.Fit.from_json(spending)
    money = {"time_unit": "W", "annual_discount_rate": 0.15, "margin": 0.3}
    value = rm.customer_value(purchases, summarized(orders), rm.Terms(horizon=8, **money), spend=spend, level=0.8)
    expected = value.drop(columns="spend_estimate").join(rm.value.break_even_uplift(value, cost=2))
    written = duckdb.read_parquet(str(scores)).df().set_index("customer_id")
    assert (written["spend_estimate"] == "posterior mean").all()
    pd.testing.assert_frame_equal(
        written[list(expected)], expected, check_dtype=False, check_index_type=False, rtol=1e-12
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--margin", "0.3"], "--margin needs --spend FILE"),
        (["--offer-cost", "2"], "--offer-cost needs --spend FILE"),
        (["--spend", "SPEND", "--margin", "0.3"], "--spend needs --annual-discount-rate"),
        (["--spend", "FIT", *MONEY], "holds a ParetoNBD; make the file with fit --model GammaGamma"),
    ],
)
def test_value_needs_its_terms(
    orders: Path,
    fitted: Path,
    spending: Path,
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = {"SPEND": str(spending), "FIT": str(fitted)}
    asked = [paths.get(option, option) for option in options]
    output = ["--horizon", "8", "--output", str(tmp_path / "scores.csv")]
    assert main(["predict", "--fit", str(fitted), *read(orders, *asked, *output)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_opportunities_are_fitted_and_predicted_by_their_period(orders: Path, tmp_path: Path) -> None:
    path, scores = tmp_path / "fit.json", tmp_path / "scores.csv"
    asked = ["--model", "BGBB", "--period", "M", "--observation-end", "2025-08-31", "--output", str(path)]
    assert main(["fit", *read(orders, *asked)]) == 0
    log = rm.read_transactions(orders, customer_id="user", date="ts", amount="total")
    months = opportunities(log, period="M", observation_end="2025-08-31")
    assert rm.Fit.from_json(path).model == rm.fit(rm.BGBB, months).model
    asked = ["--fit", str(path), "--horizon", "3", "--observation-end", "2025-08-31", "--output", str(scores)]
    assert main(["predict", *read(orders, *asked)]) == 0
    assert len(pd.read_csv(scores)) == len(months)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "BGBB"], "--model BGBB counts opportunities to buy and needs --period"),
        (["--model", "NBD", "--period", "M"], "Other models have no --period"),
        (["--model", "BGBB", "--period", "M", "--time-unit", "W"], "leave out --acquired-after and --time-unit"),
        (["--model", "ShiftedBetaGeometric"], "there is no purchase model called 'ShiftedBetaGeometric'"),
    ],
)
def test_fit_offers_models_of_purchases_with_what_they_need(
    orders: Path, tmp_path: Path, options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fit", *read(orders, *options, "--output", str(tmp_path / "fit.json"))]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_refunds_and_granularity_are_those_that_were_asked_for(orders: Path, tmp_path: Path) -> None:
    path = tmp_path / "fit.json"
    asked = ["--refunds", "net", "--granularity", "W", "--time-unit", "W", "--output", str(path)]
    assert main(["fit", *read(orders, "--model", "NBD", *asked)]) == 0
    columns = {"customer_id": "user", "date": "ts", "amount": "total"}
    weekly = rm.summarize(orders, **columns, refunds="net", granularity="W")
    assert rm.Fit.from_json(path).model == rm.fit(rm.NBD, weekly).model


def test_messages_are_followed_by_how_keywords_are_options_and_say_how_amounts_are_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "orders.csv"
    pd.DataFrame({"who": [1, 2], "date": "2024-01-01", "total": "free"}).to_csv(path, index=False)
    request = ["fit", "--transactions", str(path), "--output", str(tmp_path / "fit.json")]
    assert main(request) == 1
    message, hint = capsys.readouterr().err.splitlines()
    assert "customer_id=..., date=..., amount=... (amount=None where" in message
    assert hint.startswith("On the command line: customer_id is --customer-id, date is --date, amount is --amount, ")
    assert hint.endswith(", amount=None is --no-amount.")
    assert main([*request, "--customer-id", "who", "--amount", "total"]) == 1
    assert "column 'total' has values such as 'free', which decimal='.' does not read" in capsys.readouterr().err
    assert main([*request, "--customer-id", "who", "--no-amount", "--observation-end", "2023-01-01"]) == 1
    assert "observation_end 2023-01-01 lies before the first purchase" in capsys.readouterr().err


def test_the_line_about_keywords_names_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["purchases", "--help"])
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    for command in ("contracts", "experiment"):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        known |= set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    said = "date_format='%d', amount=None and covariates: a date is no date_formats, and sampling='window'"
    hint = on_command_line(said, [option for source in SOURCES for option in source.every_option.values()])
    named = re.findall(r"--[a-z-]+", hint)
    assert sorted(named) == ["--covariate", "--date-format", "--group", "--no-amount", "--sampling"]
    assert set(named) <= known


def test_a_message_is_shown_as_the_package_words_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "observation_end comes from column 'observation_end'; pass amount=None, covariates='plan', date='day'"

    def refuse(options: object) -> None:
        raise ValueError(said)

    monkeypatch.setattr("retention_models.cli._parser", lambda: Namespace(parse_args=lambda _: Namespace(run=refuse)))
    assert main([]) == 1
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"retention-models: {said}"
    assert second.startswith("On the command line: ")


def test_a_log_in_which_nothing_costs_anything_is_told_of_no_amount(
    asked: list[tuple], orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    free = tmp_path / "free.csv"
    pd.read_csv(orders).assign(total=0).to_csv(free, index=False)
    notebook = with_parameters(tmp_path / "n.ipynb", "transactions", "customer_id", "date", "amount", "margin")
    assert main(["report", notebook, *read(free)]) == 1
    error = capsys.readouterr().err
    assert "the value of a purchase cannot be estimated: 0 of " in error
    assert "With --no-amount, value is counted in purchases" in error
    assert not asked


def test_predict_answers_with_the_file_it_wrote(
    orders: Path, fitted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "scores.csv"
    assert main(["predict", "--fit", str(fitted), *read(orders, "--horizon", "8", "--output", str(scores))]) == 0
    assert capsys.readouterr().out == f"{scores}\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("fit.json", "{}", "this is no fit written by to_json"),
        ("fit.json", "\x00", "this is no fit written by to_json"),
        ("fit.json", "[]", "this is no fit written by to_json"),
        ("none.json", None, "No such file or directory"),
    ],
)
def test_what_is_no_fit_is_refused(
    orders: Path, tmp_path: Path, name: str, content: str | None, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    options = read(orders, "--horizon", "8", "--output", str(tmp_path / "scores.csv"))
    assert main(["predict", "--fit", str(tmp_path / name), *options]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert name in error
    assert not (tmp_path / "scores.csv").exists()


def test_a_fit_that_does_not_say_its_unit_is_refused(
    orders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nameless = summarized(orders)
    nameless.attrs = {}
    rm.fit(rm.BGNBD, nameless).to_json(tmp_path / "fit.json")
    options = read(orders, "--horizon", "8", "--output", str(tmp_path / "scores.csv"))
    assert main(["predict", "--fit", str(tmp_path / "fit.json"), *options]) == 1
    assert "does not state its time unit; make the file with retention-models fit" in capsys.readouterr().err


@pytest.mark.parametrize("horizon", ["0", "-3", "soon", "nan"])
def test_a_horizon_is_a_number_above_zero(horizon: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["predict", "--horizon", horizon])
    assert f"expected a number above 0, not '{horizon}'" in capsys.readouterr().err


def test_messages_do_not_speak_to_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "log.csv"
    path.write_text("user\x1b[31m,date\n1,2024-01-01\n")
    assert main(["report", "--transactions", str(path)]) == 1
    assert "\x1b" not in capsys.readouterr().err


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test under names of its own: user, cell, kept, spend, before; two ids mean mischief."""
    rng, n = np.random.default_rng(3), 1_200
    cell, before = rng.choice(["control", "gift, small", "letter"], n), rng.poisson(2, n)
    kept = rng.random(n) < 0.3 + 0.05 * (cell == "letter") + 0.02 * before
    spend = (kept * rng.lognormal(3, 1, n)).round(2)
    ids = ["=1+1", "<img src=x onerror=alert(1)>", *(f"C{i}" for i in range(2, n))]
    path = tmp_path_factory.mktemp("campaign") / "test.csv"
    words = np.where(kept, "yes", "no")
    pd.DataFrame({"user": ids, "cell": cell, "kept": words, "spend": spend, "before": before}).to_csv(path, index=False)
    return path


def assigned(campaign: Path, *options: str) -> list[str]:
    return ["--experiment", str(campaign), "--customer-id", "user", "--arm", "cell", *options]


def test_a_test_of_ones_own_sets_every_parameter(asked: list[tuple], campaign: Path, tmp_path: Path) -> None:
    names = ("experiment", "arm", "outcome", "control", "planned_shares", "cost", "margin", "amount", "customer_id")
    names += ("horizon", "time_unit")
    notebook = with_parameters(tmp_path / "any.ipynb", *names, "other")
    shares, costs = "control=1,gift, small=0.5,letter=1", "gift, small=2,letter=.6"
    options = ["--outcome", "kept", "--outcome", "spend", "--planned-shares", shares, "--cost", costs]
    options += ["--horizon", "14", "--time-unit", "D"]
    assert main(["report", notebook, *assigned(campaign, *options)]) == 0
    assert asked[0][2]["settings"] == {
        "experiment": campaign,
        "arm": "cell",
        "outcome": ["kept", "spend"],
        "control": None,
        "planned_shares": {"control": 1.0, "gift, small": 0.5, "letter": 1.0},
        "cost": {"gift, small": 2.0, "letter": 0.6},
        "margin": None,
        "amount": None,
        "customer_id": "user",
        "horizon": 14,
        "time_unit": "D",
    }


def test_each_kind_of_file_goes_to_the_notebooks_that_take_it(
    asked: list[tuple], campaign: Path, orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = with_parameters(tmp_path / "1.ipynb", "transactions", "customer_id", "date", "amount")
    tests = with_parameters(tmp_path / "2.ipynb", "experiment", "arm", "outcome", "customer_id")
    monkeypatch.setattr("retention_models.report.notebook.project_folder", lambda _: tmp_path)
    assert main(["report", *assigned(campaign, "--outcome", "kept")]) == 0
    assert main(["report", *read(orders)]) == 0
    assert [notebooks for notebooks, _, _ in asked] == [[Path(tests)], [Path(logs)]]


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (
            ["--transactions", "log.csv"],
            2,
            "name one file, not --transactions and --experiment",
        ),
        (["--set", "experiment=a.csv"], 2, "pass the test as --experiment FILE, not with --set"),
        (
            ["--outcome", "bought"],
            1,
            "the test has no column 'bought' for outcome; it has user, cell, kept",
        ),
        (
            [],
            1,
            "not one but 3 columns of numbers are left: kept, spend, before",
        ),
        (["--outcome", "user"], 1, "user is missing, not finite or no number for 1,200 of 1,200 customers"),
        (
            ["--outcome", "kept", "--control", "nil"],
            1,
            "the control 'nil' is not one of the arms control, gift",
        ),
        (
            ["--outcome", "kept", "--cost", "leter=3"],
            1,
            "costs are stated for leter; the arms are control",
        ),
        (["--outcome", "kept", "--margin", "0.3"], 1, "margin is a share of an amount: say which column that is"),
        (["--amount", "spend", "--margin", "0.3", "--price", "2"], 1, "price and margin both value an outcome"),
        (["--outcome", "kept", "--covariate", "kept"], 1, "column 'kept' is said to be known before the assignment"),
        (["--outcome", "kept", "--planned-shares", "a=1,b=1"], 1, "shares must give each of the arms"),
        (["--outcome", "kept", "--lower-is-better", "spend"], 1, "lower_is_better names 'spend', which is not one of"),
        (["--outcome", "kept", "--time-unit", "W"], 1, "horizon and time_unit go together, such as horizon=14"),
        (
            ["--outcome", "kept", "--calibration-end", "2024-01-01"],
            2,
            "--calibration-end is not an option of the test; see",
        ),
    ],
)
def test_a_test_that_cannot_be_read_is_one_sentence(
    campaign: Path, tmp_path: Path, options: list[str], code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = with_parameters(tmp_path / "any.ipynb", "experiment", "arm", "outcome", "customer_id", "control", "cost")
    assert main(["report", notebook, *assigned(campaign, *options), "--output", str(tmp_path)]) == code
    error = capsys.readouterr().err
    assert message in error
    assert [line[:20] for line in error.splitlines()[1:]] in ([], ["On the command line:"])
    assert not list(tmp_path.glob("*.html"))


def spoilt(rows: pd.DataFrame, column: str, value: object, count: int = 3) -> pd.DataFrame:
    return rows.assign(**{column: rows[column].astype(object).where(rows.index >= count, value)})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: spoilt(d, "cell", "  "), "cell is missing for 3 of 1,200 customers; fill in what was assigned"),
        (
            lambda d: spoilt(d, "kept", "maybe"),
            "kept is missing, not finite or no number for 3 of 1,200 customers; fill in",
        ),
        (
            lambda d: spoilt(d, "user", "C9"),
            "user repeats: 1,200 rows for 1,197 customers; keep one row for each customer",
        ),
        (lambda d: d[d["cell"] == "control"], "there is only one arm, control"),
        (lambda d: d.assign(cell=d["user"]), "column 'cell' has 1,200 values"),
        (
            lambda d: d.assign(cell=d["cell"].str[:1]),
            "the control is not stated (control)",
        ),
        (lambda d: d.head(0), "there are no rows with an arm"),
        (lambda d: d.assign(kept=7), "kept is the same for every customer: there is nothing to compare"),
    ],
)
def test_rows_of_a_test_that_cannot_be_right_are_counted(
    campaign: Path, tmp_path: Path, change, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "test.csv"
    change(pd.read_csv(campaign)).to_csv(path, index=False)
    notebook = with_parameters(tmp_path / "any.ipynb", "experiment", "arm", "outcome", "customer_id")
    assert main(["report", notebook, *assigned(path, "--outcome", "kept"), "--output", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert message in error
    assert [line[:20] for line in error.splitlines()[1:]] in ([], ["On the command line:"])


@pytest.mark.parametrize("text", ["many", "0", "1.5", "-3"])
def test_planned_customers_are_a_whole_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["report", "--experiment", "x.csv", f"--planned-customers={text}"])
    assert f"expected a whole number above 0, not '{text}'" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["mail", "=1", "mail=", "mail=x", "a=1;b=2"])
def test_numbers_by_arm_are_written_arm_equals_number(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["report", "--experiment", "x.csv", "--planned-shares", text])
    assert "expected ARM=NUMBER, several of them separated by commas" in capsys.readouterr().err
