"""Formulas are data: nothing in one runs, hangs or takes the memory, in fits and in fits that were stored."""

import json

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.cli import main
from retention_models.estimation.design import Design
from retention_models.estimation.formula import parse_formula

RNG = np.random.default_rng(1)
X = RNG.normal(size=300)
# The file that is there if code ran, and the name of a column in a hostile CSV file that would make it.
CANARY = "canary"
CODE = f"' + str(__import__('pathlib').Path('{CANARY}').touch()) + '"
HOSTILE = [
    f"C('`{CODE}`')",
    f"x + C(x, '`{CODE}`')",
    f"x + C(x, Treatment('`{CODE}`'))",
    f"log(x, `{CODE}`)",
    f"C(`a' + {CODE[3:-3]} + 'b`)",
    f'C(`a" + {CODE[3:-3]} + "b`, Treatment("b"))',
    CODE[3:-3],
    f"{{{CODE[3:-3]}}}",
    f"x % {CODE[3:-3]}",
    f"log({CODE[3:-3]})",
    f"x ** {CODE[3:-3]}",
    f"bs(x, df={CODE[3:-3]})",
]
CUSTOMERS = rm.NBD(0.8, 6).simulate(np.full(300, 40.0), RNG).assign(x=X, **{CODE: 1.0})
SPEND = rm.GammaGamma(6, 4, 15).simulate(np.full(300, 3), RNG).assign(x=X, **{CODE: 1.0})
ROWS = [(plan, t, 100 - 9 * t, 9) for plan in ("a", "b") for t in range(1, 6)]
CONTRACTS = pd.DataFrame(ROWS, columns=["cohort", "tenure", "at_risk", "lost"])
CONTRACTS = CONTRACTS.assign(x=CONTRACTS["tenure"] ** 2.0, **{CODE: 1.0})
DOORS = {
    "purchase_covariates": (rm.NBD, CUSTOMERS),
    "dropout_covariates": (rm.BGNBD, CUSTOMERS),
    "spend_covariates": (rm.GammaGamma, SPEND),
    "churn_covariates": (rm.ShiftedBetaGeometric, CONTRACTS),
    "calendar_covariates": (rm.ShiftedBetaGeometric, CONTRACTS),
}


@pytest.fixture(autouse=True)
def nothing_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    yield
    assert not (tmp_path / CANARY).exists(), "code in a formula ran"


@pytest.mark.parametrize("formula", HOSTILE)
@pytest.mark.parametrize("door", DOORS)
def test_no_code_in_a_formula_runs_through_fit(door, formula):
    model, table = DOORS[door]
    with pytest.raises(ValueError, match=r"is not allowed in a formula|is not a formula|not in the table"):
        rm.fit(model, table, **{door: formula})


@pytest.mark.parametrize("formula", HOSTILE)
def test_no_code_in_a_stored_fit_runs(formula, tmp_path, capsys):
    fitted = rm.fit(rm.NBD, CUSTOMERS, purchase_covariates="x")
    stored = json.loads(fitted.to_json())
    stored["effects"]["designs"]["purchase"]["formula"] = formula
    path = tmp_path / "fit.json"
    path.write_text(json.dumps(stored), encoding="utf-8")
    with pytest.raises(ValueError, match="this is no fit written by to_json, or it is damaged"):
        rm.Fit.from_json(path)
    log = pd.DataFrame({"customer_id": [1, 1, 2], "date": "2024-01-01", "amount": 1.0, CODE: 1.0})
    log.to_csv(tmp_path / "log.csv")
    words = ["--fit", str(path), "--transactions", str(tmp_path / "log.csv"), "--horizon", "4", "--output", "p.csv"]
    assert main(["predict", *words]) != 0
    assert "or it is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("formula", "rule"),
    [
        ("I(10**10**10)", "is not allowed in a formula"),
        ("log(10**10**10)", "is not allowed in a formula"),
        ("log(((x**3)**3)**9)", "is not allowed in a formula"),
        ("log((9**3)**3)", "is not allowed in a formula"),
        ("I('a'*10**9)", "is not allowed in a formula"),
        ("log('a'*10**9)", "is not allowed in a formula"),
        ("C(x, Treatment('a'*10**9))", "is not allowed in a formula"),
        ("(g + h + x)**20", "is not allowed in a formula"),
        ("(g + h + x)**(2**9)", "is not allowed in a formula"),
        ("*".join("abcdefghijklmnopqrst"), "has 1,048,575 terms; a formula may have 100"),
        ("(a + b + c + d + e + f + g + h + i + j)**3", "has 175 terms; a formula may have 100"),
        ("bs(x, df=1000000000)", "is not allowed in a formula"),
        ("poly(x, 1000000)", "is not allowed in a formula"),
        ("bs(x, knots=x)", "is not allowed in a formula"),
        ("x + " * 300 + "x", "at most 1,000 characters; got 1,201"),
        ("(" * 400 + "x" + ")" * 400, "is not a formula"),
        ("x.mean", "x.mean is not allowed in a formula"),
        ("x[0]", r"x\[0\] is not allowed in a formula"),
        ("log(x if x else x)", "is not a formula|is not allowed in a formula"),
        ("x\\\n", "is not allowed in a formula"),
        ("x # y", "is not allowed in a formula"),
        ("x @ y", "is not allowed in a formula"),
        ("x | y", "is not allowed in a formula"),
        ("x / y", "is not allowed in a formula"),
        ("f'{x}'", "is not a formula"),
        ("'x'", "'x' is not allowed in a formula"),
        ("Q('x')", "is not allowed in a formula"),
        ("np(x)", "is not allowed in a formula"),
        ("hashed(x)", "is not allowed in a formula"),
    ],
)
def test_what_is_outside_the_grammar_is_refused_at_once(formula, rule):
    with pytest.raises(ValueError, match=rule):
        parse_formula(formula)


def test_names_of_columns_mean_columns_whatever_they_are():
    """Names of functions, of formulaic's own variables, and with quotes of all kinds."""
    names = ["log", "C", 'customer\'s "age"', "__FORMULAIC_STATE__", "column0_", "a.b", "{x}", "größe", "lambda", CODE]
    table = CUSTOMERS.assign(**{name: RNG.uniform(size=300) for name in names})
    fitted = rm.fit(rm.NBD, table, purchase_covariates=" + ".join(f"exp(`{name}`)" for name in names))
    plain = table.assign(**{f"z{i}": np.exp(table[name]) for i, name in enumerate(names)})
    expected = rm.fit(rm.NBD, plain, purchase_covariates=" + ".join(f"z{i}" for i in range(len(names))))
    np.testing.assert_allclose(fitted.params, expected.params, rtol=1e-6)
    labels = [name if name.isidentifier() else f"`{name}`" for name in names]
    assert list(fitted.params.index[2:]) == [f"purchase[exp({label})]" for label in labels]
    assert rm.Fit.from_json(fitted.to_json()).params.equals(fitted.params)


@pytest.mark.parametrize("formula", ["C(number)", "C(tens):C(fives)", "C(tens)*x*C(fives)"])
def test_a_matrix_too_large_for_the_memory_is_refused_before_it_is_made(formula):
    number = np.arange(3000)
    table = pd.DataFrame({"number": number, "tens": number // 10, "fives": number % 20, "x": 1.0 * number})
    with pytest.raises(ValueError, match=r"makes [0-9,]+ columns or more; a fit takes at most 2,000"):
        Design.from_formula(formula, table)


@pytest.mark.parametrize("formula", ["scale(x)", "poly(x, 2)", "bs(x, df=4)", "log(scale(x) + 9):x"])
def test_a_stored_fit_remembers_what_it_learnt_of_its_rows(formula):
    fitted = rm.fit(rm.NBD, CUSTOMERS, purchase_covariates=formula)
    stored = rm.Fit.from_json(fitted.to_json())
    few = CUSTOMERS.iloc[[3, 5]]
    expected = rm.predict(fitted, CUSTOMERS, 26, level=None).iloc[[3, 5]]
    pd.testing.assert_frame_equal(rm.predict(stored, few, 26, level=None), expected)
    forgetful = json.loads(fitted.to_json())
    forgetful["effects"]["designs"]["purchase"]["states"] = {}
    with pytest.raises(ValueError, match="needs to remember"):
        rm.Fit.from_json(json.dumps(forgetful))
