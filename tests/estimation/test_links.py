"""Links move what they should, and their derivatives are those."""

import numpy as np
import pytest

from retention_models.estimation.links import LogitMeanLink, LogLink

LINKS = [LogLink("alpha", -1), LogLink("v", 1), LogitMeanLink("a", "b")]


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_slopes_are_the_derivatives(link):
    rng, h = np.random.default_rng(1), 1e-6
    logs = [np.array(value) for value in rng.normal(0, 2, len(link.fields))]
    index = rng.normal(0, 3, 7)
    slopes = link.slopes(logs, index)
    for i in range(len(logs)):
        ahead, behind = ([log + side * h * (i == j) for j, log in enumerate(logs)] for side in (1, -1))
        expected = (link.apply(ahead, index) - link.apply(behind, index)) / (2 * h)
        np.testing.assert_allclose(slopes[:, i], expected, atol=1e-9)
    expected = (link.apply(logs, index + h) - link.apply(logs, index - h)) / (2 * h)
    np.testing.assert_allclose(slopes[:, -1], expected, atol=1e-9)


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_an_index_of_0_moves_nothing_and_moves_add_up(link):
    logs = [np.array(value) for value in (0.3, -1.2)[: len(link.fields)]]
    np.testing.assert_allclose(link.apply(logs, np.zeros(1))[:, 0], logs, atol=1e-14)
    twice = link.apply(list(link.apply(logs, np.array([0.7]))), np.array([0.5]))
    np.testing.assert_allclose(twice, link.apply(logs, np.array([1.2])), atol=1e-14)


def test_the_mean_moves_on_the_logit_scale_and_the_concentration_stays():
    a, b = np.exp(LogitMeanLink("a", "b").apply([np.log(0.8), np.log(3.0)], np.array([-2.0, 0.9])))
    np.testing.assert_allclose(a + b, 3.8)
    np.testing.assert_allclose(np.log(a / b), np.log(0.8 / 3) + np.array([-2.0, 0.9]))


def test_what_a_large_index_leaves_of_a_chance_keeps_its_digits():
    a, b = LogitMeanLink("a", "b").apply([np.log(0.8), np.log(3.0)], np.array([200.0]))
    assert b[0] == pytest.approx(np.log(3.8) - np.log(0.8 / 3) - 200)
    assert a[0] == pytest.approx(np.log(3.8))
