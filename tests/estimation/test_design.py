"""Formulas and designs: the same columns for other customers, and nothing dropped or guessed."""

import json
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest

from retention_models.estimation.design import Design

CUSTOMERS = pd.DataFrame(
    {
        "channel": ["web", "shop", "web", "mail"],
        "size": pd.Categorical(["s", "s", "l", "m"], categories=["xl", "s", "m", "l"]),
        "age": [20.0, 30.0, 41.0, 35.0],
        "first year": [2019, 2020, 2019, 2020],
        "club": [True, False, True, True],
        "gaps": ["a", None, "b", "a"],
        "same": ["x"] * 4,
    },
    index=pd.Index([11, 12, 13, 14], name="customer_id"),
)


@pytest.mark.parametrize(
    ("formula", "labels", "second"),
    [
        ("channel", ["channel[T.shop]", "channel[T.web]"], [1, 0]),
        ("size", ["size[T.m]", "size[T.l]"], [0, 0]),
        ("C(channel, Treatment('web'))", None, [0, 1]),
        ("C(`first year`)", ["C(`first year`)[T.2020]"], [1]),
        ("age + club", ["age", "club"], [30, 0]),
        ("log(age) + sqrt(age**2 / 9)", ["log(age)", "sqrt(age ** 2 / 9)"], [np.log(30), 10]),
        ("scale(age):log(`first year`)", ["scale(age):log(`first year`)"], None),
        ("poly(age, 2)", ["poly(age, 2)[1]", "poly(age, 2)[2]"], None),
        ("bs(age, df=4)", [f"bs(age, df=4)[{i}]" for i in range(1, 5)], None),
        ("channel:club", ["channel[mail]:club", "channel[shop]:club", "channel[web]:club"], [0, 0, 0]),
        ("`first year`*club", ["first year", "club", "first year:club"], [2020, 0, 0]),
    ],
)
def test_a_design_makes_the_columns_that_the_formula_says(formula, labels, second):
    design = Design.from_formula(formula, CUSTOMERS)
    assert labels is None or list(design.labels) == labels
    if second is not None:
        np.testing.assert_allclose(design.matrix(CUSTOMERS)[1], second)


@pytest.mark.parametrize(
    "formula",
    ["channel*age", "size + C(`first year`)", "log(age):club", "log(scale(age) + 3)", "poly(age, 2)", "bs(age, df=4)"],
)
def test_a_design_survives_json_and_makes_the_same_columns_of_one_customer(formula):
    design = Design.from_formula(formula, CUSTOMERS)
    stored = Design.from_plain(json.loads(json.dumps(asdict(design))))
    assert stored == design
    for i in range(4):
        np.testing.assert_array_equal(stored.matrix(CUSTOMERS.iloc[[i]])[0], design.matrix(CUSTOMERS)[i])


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("nowhere", "nowhere not in the table .columns: channel, .*; 'nowhere' asks for it"),
        ("gaps", "gaps is missing for 1 of 4 customers .first: customer_id 12.; fill in or leave out such customers"),
        ("same", "same has only one level .x. for all 4 customers: it can explain nothing; leave it out of 'same'"),
        (
            "log(age - 20)",
            "log.age - 20. is not finite for 1 of 4 customers .first: customer_id 11.; change the formula",
        ),
        ("0 + channel", "removes the baseline"),
        ("channel - 1", "removes the baseline"),
        ("1", "contains no covariate"),
        ("age ~ channel", "several sides"),
        ("age +", "not a formula"),
        ("", "a formula is text"),
        (3, "a formula is text"),
        ("center(age)", "center.age. is not allowed in a formula"),
        ("age.mean()", "is not allowed in a formula"),
        ("C(age.values)", "is not allowed in a formula"),
        ("age.mean", "age.mean is not allowed in a formula: columns .odd names in back quotes."),
    ],
)
def test_what_no_design_can_be_made_of_is_named(formula, message):
    with pytest.raises(ValueError, match=message):
        Design.from_formula(formula, CUSTOMERS).matrix(CUSTOMERS)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"channel": ["web", "fax", "web", "mail"]},
            "channel has a level that the fit has not seen .it knows mail, shop",
        ),
        ({"channel": ["web", None, "web", "mail"]}, "channel is missing for 1 of 4 customers .first: customer_id 12"),
        (
            {"age": ["20", "30", "41", "35"]},
            "age is no number for 4 of 4 customers .* it was a column of numbers in the",
        ),
        ({"age": [20, np.inf, 41, 35]}, "age is infinite for 1 of 4 customers .first: customer_id 12"),
        ({"age": [20, np.nan, 41, 35]}, "age is missing for 1 of 4 customers"),
    ],
)
def test_customers_whom_the_design_does_not_fit_are_counted(changed, message):
    with pytest.raises(ValueError, match=message):
        Design.from_formula("channel + age", CUSTOMERS).matrix(CUSTOMERS.assign(**changed))
    with pytest.raises(ValueError, match="age not in the table"):
        Design.from_formula("channel + age", CUSTOMERS).matrix(CUSTOMERS.drop(columns="age"))
