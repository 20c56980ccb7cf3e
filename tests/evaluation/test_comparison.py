"""Models side by side: one table on the same data, a choice that says how sure it is, nested pairs tested."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import retention_models as rm
from retention_models.btyd.bgbb import BGBB
from retention_models.btyd.cnbd import MBGCNBD
from retention_models.btyd.mbgnbd import MBGNBD
from retention_models.btyd.nbd import NBD
from retention_models.evaluation import calibration, compare, holdout_scores, tracking, tracking_error
from retention_models.evaluation.comparison import _holdout_text
from retention_models.evaluation.loss_comparison import LossComparison

HOLDOUT_COLUMNS = ["holdout_frequency", "holdout_amount", "holdout_duration"]


@pytest.fixture(scope="module")
def more(fits, customers):
    return {**fits, "MBG/CNBD-k": rm.fit(MBGCNBD, customers), "NBD": rm.fit(NBD, customers)}


@pytest.fixture(scope="module")
def comparison(more, customers):
    return compare(more, customers)


def test_the_table_agrees_with_each_measure_taken_alone(comparison, more, customers):
    frame = comparison.frame
    scores = holdout_scores(more, customers)
    np.testing.assert_allclose(frame[["log_score", "mae"]], scores[["log_score", "mae"]])
    for name, fit in more.items():
        assert frame.loc[name, ["aic", "bic", "log_likelihood"]].tolist() == [fit.aic, fit.bic, fit.log_likelihood]
        assert frame.loc[name, "parameters"] == fit.n_parameters
        flat = (calibration(fit, customers)["density"] - 1).abs().mean() / 2
        assert frame.loc[name, "calibration_error"] == pytest.approx(flat)
    assert frame.notna().all().all()


def test_tracking_error_is_that_of_the_log(comparison, more, customers, log):
    errors = tracking_error(tracking(more, log, calibration_end="1997-09-30"))
    whole = errors.xs("holdout", level="part")["error"]
    np.testing.assert_allclose(comparison.frame["tracking_error"], whole[list(more)], atol=0.01)


def test_aic_chooses_whatever_the_order_and_the_holdout_stands_beside(fits, customers):
    for order in (fits, dict(reversed(fits.items()))):
        comparison = compare(order, customers)
        assert comparison.name == "BG/NBD"
        assert str(comparison).startswith(
            "BG/NBD is used: its AIC is the best. Pareto/NBD is 25.1 worse (standard error 20.7). The log score per "
            "customer of BG/NBD in the holdout is the best, too. Purchases expected in the holdout: "
        )
        assert "Pareto/NBD 1,666" in str(comparison)
        assert "1,882 came. Per customer without a repeat purchase: " in str(comparison)
        assert "Pareto/NBD 0.138" in str(comparison)
        assert str(comparison).endswith("0.237 came.")
        assert not comparison.tests
    assert compare(fits, customers).frame["expected"].to_dict() == pytest.approx(
        {"Pareto/NBD": 1665.5131072105, "BG/NBD": 1653.4086979425}, rel=1e-6
    )


def test_a_holdout_that_contradicts_beyond_two_standard_errors_is_told(pareto, customers):
    losses = LossComparison("AIC", {"good": np.array([1.0, 2.0]), "bad": np.array([1.5, 2.5])}, np.array([50.0, 50.0]))
    assert losses.choose_best()[0] == "good"
    off = replace(pareto, model=replace(pareto.model, alpha=3.0), log_likelihood=pareto.log_likelihood)
    scores = LossComparison(
        "log score", {"a": np.array([1.0, 1.2]), "b": np.array([0.5, 0.6])}, np.array([400.0, 500.0])
    )
    assert _holdout_text("a", scores).startswith("The holdout contradicts: the log score per customer of b is 0.5")
    close = LossComparison("log score", {"a": np.array([1.0, 1.2]), "b": np.array([0.4, 1.79])}, np.array([9.0, 9.0]))
    assert _holdout_text("a", close).endswith("which chance can make.")
    assert compare({"off": off, "Pareto/NBD": pareto}, customers).name == "Pareto/NBD"


def test_models_that_ran_to_the_same_limit_are_one_row():
    """Nobody ever leaves: drop-out runs to 0 in all models, which then are the NBD."""
    loyal = NBD(r=1.5, alpha=8.0).simulate(np.full(800, 52.0), np.random.default_rng(3))
    models = {"NBD": NBD, "BG/NBD": rm.BGNBD, "MBG/NBD": MBGNBD}
    comparison = compare({name: rm.fit(model, loyal) for name, model in models.items()}, loyal)
    assert list(comparison.frame.index) == ["NBD"]
    assert comparison.name == "NBD"
    assert "BG/NBD ran to the same limit as NBD and is one row with it." in comparison.notes


def test_a_model_that_is_clearly_worse_is_not_chosen(pareto, customers):
    worse = replace(pareto, model=replace(pareto.model, alpha=3.0))
    comparison = compare({"worse": worse, "Pareto/NBD": pareto}, customers)
    assert comparison.name == "Pareto/NBD"
    assert comparison.sentence.startswith("Pareto/NBD is used: its AIC is the best. worse is ")


def test_nobody_leaving_is_refuted_without_simulating(comparison):
    pairs = {pair: test for pair, test in comparison.tests.items() if pair[0] == "NBD"}
    assert set(pairs) == {("NBD", "Pareto/NBD"), ("NBD", "BG/NBD"), ("NBD", "MBG/CNBD-k")}
    assert all(test.p_value < 1e-20 and test.reference_distribution == "bound by halves" for test in pairs.values())


def test_bg_and_mbg_are_not_nested(fits, customers):
    both = compare({"BG/NBD": fits["BG/NBD"], "MBG/NBD": rm.fit(MBGNBD, customers)}, customers)
    assert not both.tests


def test_without_a_holdout_its_measures_are_left_out_and_aic_judges(more, customers):
    known = customers.drop(columns=HOLDOUT_COLUMNS)
    comparison = compare(more, known)
    measures = ["parameters", "log_likelihood", "aic", "bic", "difference_to_best", "std_error"]
    assert list(comparison.frame.columns) == measures
    assert comparison.frame.notna().all().all()
    assert comparison.frame["difference_to_best"].to_dict() == pytest.approx(
        {name: fit.aic - more["BG/NBD"].aic for name, fit in more.items()}, abs=1e-6
    )
    assert "has no holdout" in comparison.notes[-1]
    assert comparison.sentence.startswith("BG/NBD is used: its AIC is the best. ")
    assert "By BIC BG/NBD is best" in comparison.sentence


def test_standard_error_of_an_aic_difference_is_that_of_the_sum_over_customers(fits, customers):
    known = customers.drop(columns=HOLDOUT_COLUMNS)
    frame = compare(fits, known).frame
    columns = [known[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]
    each = [fits[name].model.log_likelihood(*columns) for name in ("BG/NBD", "Pareto/NBD")]
    difference = 2 * (each[0] - each[1])
    assert frame.loc["Pareto/NBD", "std_error"] == pytest.approx(np.sqrt(len(known)) * difference.std(), rel=1e-9)
    assert frame.loc["Pareto/NBD", "difference_to_best"] == pytest.approx(difference.sum(), rel=1e-9)


def test_a_parameter_that_gains_nothing_is_not_paid_for(customers):
    known = customers.drop(columns=HOLDOUT_COLUMNS)
    random, regular = rm.fit(MBGNBD, known), rm.fit(MBGCNBD, known)
    assert regular.model.k == 1
    comparison = compare({"MBG/CNBD-k": regular, "MBG/NBD": random}, known)
    assert comparison.name == "MBG/NBD"
    assert "MBG/CNBD-k is 2" in comparison.sentence


def test_bgbb_stands_apart_and_is_said_so(fits, customers):
    donations = rm.fit(BGBB, rm.datasets.load_donations())
    comparison = compare({**fits, "BG/BB": donations}, customers)
    assert "BG/BB" not in comparison.frame.index
    assert "stands apart" in comparison.notes[0]
    with pytest.raises(ValueError, match=r"at least two fits; got 1.*stands apart"):
        compare({"Pareto/NBD": fits["Pareto/NBD"], "BG/BB": donations}, customers)


def test_what_does_not_compare_is_refused(fits, pareto, customers):
    with pytest.raises(ValueError, match="a comparison needs at least two fits; got 1"):
        compare({"only": pareto}, customers)
    days = customers.assign(recency=customers["recency"] * 7, T=customers["T"] * 7)
    days.attrs["time_unit"] = "D"
    other = rm.fit(rm.BGNBD, days)
    with pytest.raises(ValueError, match="time was measured: Pareto/NBD in W, BG/NBD in D"):
        compare({"Pareto/NBD": pareto, "BG/NBD": other}, customers)
    with pytest.raises(ValueError, match="are not the ones that BGNBD was fitted to"):
        compare({"Pareto/NBD": pareto, "BG/NBD": rm.fit(rm.BGNBD, customers.iloc[5:])}, customers)
    with pytest.raises(ValueError, match="spend: compare takes purchase models"):
        compare({"Pareto/NBD": pareto, "spend": rm.fit(rm.GammaGamma, customers)}, customers)


def test_names_are_escaped_in_html(fits, customers):
    odd = dict(zip(["<b>", "$x$"], fits.values(), strict=True))
    page = compare(odd, customers)._repr_html_()
    assert "<b>" not in page
    assert "&lt;b&gt; is 25.1 worse" in page


def test_what_is_read_holds_the_table_the_sentence_and_the_tests(comparison):
    text = repr(comparison)
    assert comparison.sentence in text
    assert "NBD is not enough: Pareto/NBD gains 169 in log-likelihood" in text
    assert comparison.tests["NBD", "Pareto/NBD"].statistic / 2 == pytest.approx(168.68, abs=0.005)
    assert text.index("MBG/CNBD-k") < text.index("tracking_error") < text.index(comparison.sentence)


def test_models_that_differ_by_a_trifle_are_as_good(pareto, customers):
    trifle = replace(pareto, model=replace(pareto.model, alpha=pareto.model.alpha * (1 + 1e-6)))
    for order in ({"one": trifle, "other": pareto}, {"other": pareto, "one": trifle}):
        comparison = compare(order, customers)
        assert comparison.name == next(iter(order))
        assert len(comparison.frame) == 1 or "and as good as that of" in comparison.sentence


def test_customers_who_share_a_row_count_as_often_as_they_are():
    losses = {"one": np.array([1.0, 2.0, 4.0]), "other": np.array([1.5, 2.0, 3.0])}
    weight = np.array([3.0, 1.0, 2.0])
    repeated = {name: np.repeat(loss, weight.astype(int)) for name, loss in losses.items()}
    shared, each = LossComparison("loss", losses, weight), LossComparison("loss", repeated, np.ones(6))
    assert shared.ranking() == each.ranking() == ["other", "one"]
    assert shared.difference_to_best("one") == pytest.approx(each.difference_to_best("one"))


def test_the_sentence_says_where_a_test_decides():
    table = pd.DataFrame(
        {"tenure": [1, 2, 3, 4, 5], "at_risk": [500, 400, 330, 280, 240], "lost": [100, 70, 50, 40, 20]}
    )
    richer, simpler = (rm.fit(model, table) for model in (rm.survival.BetaDiscreteWeibull, rm.ShiftedBetaGeometric))
    comparison = compare([richer, simpler], table)
    assert comparison.name == "BetaDiscreteWeibull"
    assert (
        "is 1.3 worse than that of ShiftedBetaGeometric (standard error 1.6); the likelihood-ratio test does not tell "
        in (comparison.sentence)
    )
    assert "chance" not in comparison.sentence
