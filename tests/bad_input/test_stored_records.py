"""A stored fit or effect that is damaged, or made to harm, is refused with one ValueError; nothing in it is guessed."""

import json
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

import retention_models as rm

RNG = np.random.default_rng(2)
CUSTOMERS = rm.BGNBD(0.8, 6, 0.8, 2.5).simulate(np.full(400, 40.0), RNG)
CUSTOMERS = CUSTOMERS.assign(age=RNG.normal(size=400), channel=np.array(["mail", "web"])[np.arange(400) % 2])
RETENTION = pd.DataFrame([(t, 1000 - 90 * t, 90) for t in range(1, 8)], columns=["tenure", "at_risk", "lost"])
EFFECT = rm.Effect(
    **{"intervention": "call", "outcome": "churn", "unit": "share of customers", "estimand": "difference"},
    **{"population": "all", "n": 812, "assigned_by": "random", "horizon": 12, "time_unit": "M", "scale": "difference"},
    **{
        "estimate": -0.04,
        "std_error": 0.01,
        "checks": (rm.Check("Balance before assignment", True, detail="it holds"),),
    },
)
RECORDS = {
    "covariates": rm.fit(rm.BGNBD, CUSTOMERS, purchase_covariates="scale(age) + channel").to_json(),
    "groups": rm.fit(rm.NBD, CUSTOMERS, by="channel").to_json(),
    "contracts": rm.fit(rm.ShiftedBetaGeometric, RETENTION).to_json(),
    "effect": EFFECT.to_json(),
}
DESIGN = ("effects", "designs", "purchase")
LAW = ("effect", "law")
DELETED = object()


def read(record, text):
    return (rm.Effect if record == "effect" else rm.Fit).from_json(text)


def changed(record, path, value):
    """The text of a record with one value changed."""
    stored = deepcopy(json.loads(RECORDS[record]))
    *way, last = path
    held = stored
    for step in way:
        held = held[step]
    if value is DELETED:
        del held[last]
    else:
        held[last] = value(held[last]) if callable(value) else value
    return json.dumps(stored)


@pytest.mark.parametrize("record", RECORDS)
def test_what_was_written_is_read(record):
    assert read(record, RECORDS[record]).to_json() == RECORDS[record]


@pytest.mark.parametrize(
    ("record", "path", "value", "rule"),
    [
        ("groups", ("model", "class"), "os.system", "os.system is not one of its models"),
        ("groups", ("model", "class"), "BGNBD", "unexpected keyword|missing"),
        ("groups", ("model", "parameters", "r"), -1, "r must be positive and finite; got -1"),
        ("groups", ("model", "parameters", "r"), [1.0, 2.0], "parameters of NBD must be numbers"),
        ("groups", ("model", "parameters", "r"), "1", "parameters of NBD must be numbers"),
        ("groups", ("model", "parameters", "r"), True, "parameters of NBD must be numbers"),
        ("groups", ("model", "parameters", "r"), float("nan"), "NaN is not a number that the record can hold"),
        ("groups", ("log_likelihood",), float("-inf"), "-Infinity is not a number that the record can hold"),
        ("groups", ("log_likelihood",), "high", "log_likelihood of Fit must be of another type; got 'high'"),
        ("groups", ("n_customers",), 0, "n_customers must be 1 or more"),
        ("groups", ("n_customers",), 400.5, "n_customers of Fit must be of another type; got 400.5"),
        ("groups", ("robust",), "yes", "robust of Fit must be of another type"),
        ("groups", ("notes",), [1], "notes of Fit must be of another type"),
        ("groups", ("checks",), [{"name": 1, "passed": True, "detail": ""}], "name of Check must be of another type"),
        ("groups", ("checks",), [{"name": "a", "passed": "no", "detail": ""}], "passed of Check must be of another"),
        ("groups", ("checks",), [{"name": "a", "run": "rm"}], "Check has no run"),
        ("groups", ("covariance", "parameters"), ["alpha", "r"], "the covariance has the labels"),
        ("groups", ("covariance", "parameters"), ["r", "r"], "the covariance has the labels"),
        ("groups", ("covariance", "parameters"), ["r", "s"], "the covariance has the labels"),
        ("groups", ("covariance", "values"), [[1.0]], "cannot reshape"),
        ("groups", ("covariance", "values"), [[1.0, 0.5], [0.4, 1.0]], "the covariance is not symmetric"),
        ("groups", ("covariance", "values"), [[1.0, 2.0], [2.0, 1.0]], "not positive semi-definite"),
        ("groups", ("covariance", "values"), [[-1.0, 0.0], [0.0, 1.0]], "not positive semi-definite"),
        ("groups", ("covariance", "values"), [["a", 0.0], [0.0, 1.0]], "could not convert"),
        ("groups", ("data", "rows"), "many", "rows must be a whole number"),
        ("groups", ("data", "sha256"), DELETED, "it lacks 'sha256'"),
        ("groups", ("data", "observation_end"), "tomorrow", "Invalid isoformat string: 'tomorrow'"),
        ("groups", ("groups", "web", "n_customers"), -3, "n_customers must be 1 or more"),
        ("groups", ("groups", "web", "groups"), {"a": {}}, "a group of a fit has groups of its own"),
        ("groups", ("groups",), [], "no attribute 'items'"),
        ("groups", ("retention_models",), DELETED, None),
        ("groups", ("format",), True, "format True"),
        ("groups", ("format",), 99, "format 99"),
        ("groups", ("format",), [1], "format"),
        ("contracts", ("data", "kept", "lost"), [1, 2], "inhomogeneous"),
        ("contracts", ("data", "kept", "lost"), DELETED, "it lacks 'lost'"),
        ("contracts", ("model", "class"), "NBD", "unexpected keyword"),
        ("covariates", ("effects", "designs"), lambda held: {"system": held["purchase"]}, "formulas make system"),
        ("covariates", ("effects", "coefficients"), {"purchase[age]": 1.0}, "the coefficients are purchase"),
        ("covariates", ("effects", "coefficients", "purchase[scale(age)]"), "1", "coefficients must be numbers"),
        ("covariates", (*DESIGN, "formula"), "scale(age) + age", "needs to remember|lacks the columns|makes no"),
        ("covariates", (*DESIGN, "formula"), ["age"], "formula of Design must be of another type"),
        ("covariates", (*DESIGN, "levels"), {"size": ["s", "m"]}, "lacks the columns size"),
        ("covariates", (*DESIGN, "levels", "channel"), [["mail"], "web"], "levels of Design must be of another type"),
        ("covariates", (*DESIGN, "numeric"), [3], "numeric of Design must be of another type"),
        ("covariates", (*DESIGN, "states"), {}, "needs to remember"),
        ("covariates", (*DESIGN, "states", "scale(column0_)"), {"center": 0.0, "ddof": 1}, "needs to remember"),
        ("covariates", (*DESIGN, "states", "scale(column0_)", "scale"), "x", "must be numbers; got 'x'"),
        ("covariates", (*DESIGN, "terms"), lambda held: {"age": [1]}, "terms of Design must be of another type"),
        ("effect", ("effect", "estimate"), "big", "estimate of Effect must be of another type"),
        ("effect", ("effect", "n"), 0, "n must be a whole number, 1 or more; got 0"),
        ("effect", ("effect", "n"), 8.5, "n of Effect must be of another type"),
        ("effect", ("effect", "design"), "magic", "design of Effect must be of another type"),
        ("effect", ("effect", "intervention"), 3, "intervention of Effect must be of another type"),
        ("effect", ("effect", "level"), 2, "level must lie between 0 and 1"),
        ("effect", ("effect", "owner_of"), "me", "Effect has no owner_of"),
        ("effect", ("effect", "checks"), ["a"], "must be|items"),
        ("effect", (*LAW, "kind"), "os.system", "os.system is not one of its laws"),
        ("effect", (*LAW, "std_error"), -1, "a law needs a finite estimate, a std_error of 0 or more"),
        ("effect", (*LAW, "std_error"), [1, 2], "std_error of StudentT must be of another type"),
        ("effect", (*LAW, "df"), {"number": "nan"}, "it lacks 'nan'"),
        ("effect", LAW, {"kind": "Permutation", "estimate": 0, "std_error": 1, "lowest": "a", "highest": []}, "lowest"),
        ("effect", LAW, {"kind": "Linear", "law": {"kind": "Linear"}, "slope": 1, "shift": 0}, "missing"),
        ("effect", LAW, {"kind": "Linear", "law": 5, "slope": 1, "shift": 0}, "law of Linear must be of another type"),
    ],
)
def test_a_record_with_one_value_changed_is_refused_by_name(record, path, value, rule):
    text = changed(record, path, value)
    if rule is None:
        read(record, text)
        return
    with pytest.raises(ValueError, match=rule) as caught:
        read(record, text)
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("record", RECORDS)
@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        "[" * 100_000,
        '{"format": 1, "model": ' + '{"a":' * 50_000 + "1" + "}" * 50_000 + "}",
        '{"format": 1, "effect": ' + '{"kind": "Linear", "law":' * 600 + "1" + "}" * 600 + "}",
        '{"format": 1, "format": 1}',
        '{"format": 1, "n_customers": ' + "9" * 5000 + "}",
        '{"format": 1, "n_customers": 1e999}',
        "\x80\x81",
        b"\x80\x81{",
    ],
    ids=range(12),
)
def test_what_is_no_record_is_refused(record, text, tmp_path):
    path = tmp_path / "stored.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"this is no (fit|effect) written by to_json"):
        read(record, path)


@pytest.mark.parametrize("record", RECORDS)
def test_half_a_record_is_refused(record):
    with pytest.raises(ValueError, match="or it is damaged"):
        read(record, RECORDS[record][: len(RECORDS[record]) // 2])
