"""Links move what they should, and their derivatives are those."""

import numpy as np
import pytest

from retention_models.estimation.links import MovesMean, Multiplies

LINKS = [Multiplies("alpha", -1), Multiplies("v", 1), MovesMean("a", "b")]


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_slopes_are_the_derivatives(link):
    rng, h = np.random.default_rng(1), 1e-6
    logs = [np.array(value) for value in rng.normal(0, 2, len(link.fields))]
    index = rng.normal(0, 3, 7)
    slopes = link.slopes(logs, index)
    for i in range(len(logs)):
        ahead, behind = ([log + side * h * (i == j) for j, log in enumerate(logs)] for side in (1, -1))
        expected = (link.moved(ahead, index) - link.moved(behind, index)) / (2 * h)
        np.testing.assert_allclose(slopes[:, i], expected, atol=1e-9)
    expected = (link.moved(logs, index + h) - link.moved(logs, index - h)) / (2 * h)
    np.testing.assert_allclose(slopes[:, -1], expected, atol=1e-9)


@pytest.mark.parametrize("link", LINKS, ids=str)
def test_an_index_of_0_moves_nothing_and_moves_add_up(link):
    logs = [np.array(value) for value in (0.3, -1.2)[: len(link.fields)]]
    np.testing.assert_allclose(link.moved(logs, np.zeros(1))[:, 0], logs, atol=1e-14)
    twice = link.moved(list(link.moved(logs, np.array([0.7]))), np.array([0.5]))
    np.testing.assert_allclose(twice, link.moved(logs, np.array([1.2])), atol=1e-14)


def test_the_mean_moves_on_the_logit_scale_and_the_concentration_stays():
    a, b = np.exp(MovesMean("a", "b").moved([np.log(0.8), np.log(3.0)], np.array([-2.0, 0.9])))
    np.testing.assert_allclose(a + b, 3.8)
    np.testing.assert_allclose(np.log(a / b), np.log(0.8 / 3) + np.array([-2.0, 0.9]))


def test_what_a_large_index_leaves_of_a_chance_keeps_its_digits():
    a, b = MovesMean("a", "b").moved([np.log(0.8), np.log(3.0)], np.array([200.0]))
    assert b[0] == pytest.approx(np.log(3.8) - np.log(0.8 / 3) - 200)
    assert a[0] == pytest.approx(np.log(3.8))
