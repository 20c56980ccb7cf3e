from dataclasses import replace

import pytest

from retention_models.evaluation import choose, holdout_scores


def test_models_that_the_holdout_cannot_tell_apart_are_taken_in_the_order_given(fits, customers):
    scores = holdout_scores(fits, customers)["log_score"]
    assert scores["BG/NBD"] < scores["Pareto/NBD"]
    preferred, other = choose(fits, customers), choose(dict(reversed(fits.items())), customers)
    assert (preferred.name, other.name) == ("Pareto/NBD", "BG/NBD")
    assert "0.0027 worse than that of BG/NBD (standard error 0.005), which is no more than chance" in str(preferred)
    assert "0.0027 better than that of Pareto/NBD (standard error 0.005), which is no more than chance" in str(other)
    assert "BG/NBD fits the calibration data best, by 25.1 in AIC" in str(preferred)


def test_a_model_that_is_clearly_worse_is_not_chosen(pareto, customers):
    worse = replace(pareto, model=replace(pareto.model, alpha=3.0))
    choice = choose({"worse": worse, "Pareto/NBD": pareto}, customers)
    assert choice.name == "Pareto/NBD"
    assert "which is more than chance could make" in choice.reason


def test_a_choice_needs_two_fits(pareto, customers):
    with pytest.raises(ValueError, match="a choice needs at least two fits; got 1"):
        choose({"only": pareto}, customers)


def test_names_are_escaped_in_html(fits, customers):
    odd = dict(zip(["<b>", "$x$"], fits.values(), strict=True))
    assert "&lt;b&gt;" in choose(odd, customers)._repr_html_()


def test_models_that_differ_by_a_trifle_are_as_good(pareto, customers):
    trifle = replace(pareto, model=replace(pareto.model, alpha=pareto.model.alpha * (1 + 1e-6)))
    for order in ({"one": trifle, "other": pareto}, {"other": pareto, "one": trifle}):
        choice = choose(order, customers)
        assert choice.name == next(iter(order))
        assert "is as good as that of" in choice.reason
        assert "fit the calibration data alike" in choice.reason
