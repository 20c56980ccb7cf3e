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


def test_models_that_the_holdout_cannot_tell_apart_are_taken_in_the_order_given(fits, customers):
    preferred, other = compare(fits, customers), compare(dict(reversed(fits.items())), customers)
    assert (preferred.name, other.name) == ("Pareto/NBD", "BG/NBD")
    assert str(preferred).startswith(
        "No clear winner: Pareto/NBD is used, whose log score in the holdout is 0.0027 worse than that of BG/NBD "
        "(standard error 0.0046), no more than chance could make."
    )
    assert "is 0.0027 better than that of Pareto/NBD (standard error 0.0046), no more than chance" in str(other)
    assert "BG/NBD fits the calibration data best, by 25.1 in AIC (standard error" in str(preferred)
    assert not preferred.tests


def test_a_model_that_is_clearly_worse_is_not_chosen(pareto, customers):
    worse = replace(pareto, model=replace(pareto.model, alpha=3.0))
    comparison = compare({"worse": worse, "Pareto/NBD": pareto}, customers)
    assert comparison.name == "Pareto/NBD"
    assert comparison.sentence.startswith("Pareto/NBD is used: its log score in the holdout is")
    assert "more than chance could make" in comparison.sentence


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
    assert "whose AIC is" in comparison.sentence
    assert "By BIC BG/NBD is best" in comparison.sentence


def test_standard_error_of_an_aic_difference_is_that_of_the_sum_over_customers(fits, customers):
    known = customers.drop(columns=HOLDOUT_COLUMNS)
    frame = compare(fits, known).frame
    columns = [known[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T")]
    each = [fits[name].model.log_likelihood(*columns) for name in ("BG/NBD", "Pareto/NBD")]
    difference = 2 * (each[0] - each[1])
    assert frame.loc["Pareto/NBD", "std_error"] == pytest.approx(np.sqrt(len(known)) * difference.std(), rel=1e-9)
    assert frame.loc["Pareto/NBD", "difference_to_best"] == pytest.approx(difference.sum(), rel=1e-9)


def test_a_nested_pair_without_a_holdout_is_told_apart_by_its_test(customers):
    known = customers.drop(columns=HOLDOUT_COLUMNS)
    random, regular = rm.fit(MBGNBD, known), rm.fit(MBGCNBD, known)
    assert regular.model.k == 1
    comparison = compare({"MBG/CNBD-k": regular, "MBG/NBD": random}, known)
    assert comparison.name == "MBG/CNBD-k"
    assert comparison.sentence.startswith("No clear winner")


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
    assert "&lt;b&gt; is used" in page


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
        assert "is as good as that of" in comparison.sentence
        assert "fit the calibration data alike" in comparison.sentence


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
