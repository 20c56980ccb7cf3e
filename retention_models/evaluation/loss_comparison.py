"""Comparison of models by a loss per customer: the best model, and the models that are as good."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from retention_models.core.arrays import Array
from retention_models.core.formatting import format_together, p_statement

ROUNDING = 9  # decimals beyond which a difference is one of arithmetic
EQUAL = 1e-5  # of a loss per customer, up to which two models are equally good
ALIKE = 1e-6  # of the losses of a customer, up to which two models are one
TRIFLE = 1e-4  # a difference of losses per customer that no decision would notice


@dataclass(frozen=True, slots=True)
class LossComparison:
    """Losses by model, each an array over the same rows; ``weight`` counts the customers who share each row.

    A model's loss is the mean over customers times ``scale``.
    """

    measure: str
    losses: Mapping[str, Array]
    weight: Array
    scale: float = 1.0

    def loss(self, name: str) -> float:
        """The loss of a model."""
        return self.scale * self._mean(self.losses[name])

    def ranking(self) -> list[str]:
        """The models, the best first."""
        return sorted(self.losses, key=self.loss)

    def difference_to_best(self, name: str) -> tuple[float, float]:
        """How much worse than the best a model is, and the standard error of that difference."""
        difference = self.losses[name] - self.losses[self.ranking()[0]]
        mean = self._mean(difference)
        error = math.sqrt(self._mean((difference - mean) ** 2) / self.weight.sum())
        return round(self.scale * mean, ROUNDING), round(self.scale * error, ROUNDING)

    def without_repeats(self) -> tuple[LossComparison, list[tuple[str, str]]]:
        """The comparison of models that differ, and each model left out with the earlier one that it equals."""
        kept: dict[str, Array] = {}
        same = []
        for name, loss in self.losses.items():
            equal = next((other for other, known in kept.items() if np.allclose(loss, known, rtol=0, atol=ALIKE)), None)
            if equal is None:
                kept[name] = loss
            else:
                same.append((name, equal))
        return replace(self, losses=kept), same

    def choose_best(self) -> tuple[str, str]:
        """The model with the smallest loss, the first one of equals, and the reason, in a sentence."""
        ranked = self.ranking()
        equals = [name for name in self.losses if self.difference_to_best(name)[0] <= self.scale * EQUAL]
        chosen, best = equals[0], f"{equals[0]} is used: its {self.measure} is the best"
        second = next((name for name in ranked if name != chosen), None)
        if second is None:
            return chosen, f"{chosen} is used."
        if second in equals:
            return chosen, f"{best}, and as good as that of {second}."
        by, unsure = format_together(*self.difference_to_best(second))
        return chosen, f"{best}. {second} is {by} worse (standard error {unsure})."

    def is_beyond_chance(self, name: str) -> bool:
        """Whether a model is worse than the best by more than two standard errors, and not negligibly."""
        gap, error = self.difference_to_best(name)
        return gap > max(2 * error, self.scale * TRIFLE)

    def choose(self, p_values: Mapping[tuple[str, str], float]) -> tuple[str, str]:
        """The first model that is not worse than the best one, and the reason, in a sentence.

        ``p_values`` are those of tests of pairs (simpler, richer), which decide where there are any.
        """
        ranked = self.ranking()
        equals = [name for name in self.losses if not self._is_worse(name, p_values)]
        chosen, best = equals[0], ranked[0]
        if len(equals) == 1:
            return chosen, f"{chosen} is used: its {self.measure} is {self._gap_text(ranked[1], p_values, 'better')}."
        if chosen != best:
            told = self._gap_text(chosen, p_values, "worse")
        else:
            told = self._gap_text(next(name for name in ranked[1:] if name in equals), p_values, "better")
        return chosen, f"No clear winner: {chosen} is used, whose {self.measure} is {told}."

    def _gap_text(self, name: str, p_values: Mapping[tuple[str, str], float], word: str) -> str:
        """By how much the best is better than another, or the other worse, and whether chance could have made it."""
        best = self.ranking()[0]
        gap, error = self.difference_to_best(name)
        than = name if word == "better" else best
        if gap <= self.scale * TRIFLE:
            return f"as good as that of {than}"
        by = f"{_two_digits(gap)} {word} than that of {than} (standard error {_two_digits(error)})"
        tested = [p_values[pair] for pair in ((name, best), (best, name)) if pair in p_values]
        if tested:
            does = "tells" if self._is_worse(name, p_values) else "does not tell"
            return f"{by}; the likelihood-ratio test {does} them apart ({p_statement(tested[0])})"
        return f"{by}, {'no more than' if gap <= 2 * error else 'more than'} chance could make"

    def _is_worse(self, name: str, p_values: Mapping[tuple[str, str], float]) -> bool:
        """Whether a model is significantly worse than the best."""
        best = self.ranking()[0]
        if (name, best) in p_values:
            return p_values[name, best] < 0.05
        return (best, name) not in p_values and self.is_beyond_chance(name)

    def _mean(self, values: Array) -> float:
        return float(self.weight @ values / self.weight.sum())


def _two_digits(value: float) -> str:
    """A number to two significant digits, whole parts kept."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"
