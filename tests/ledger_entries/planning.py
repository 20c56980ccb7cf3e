"""How many customers a test needs, and looking before its end."""

import numpy as np

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, each, tried
from ledger_entries.interventions import BOUGHT, experiment
from retention_models.interventions.effects.error_spending import error_spent

KINDS = Parts(
    share=(rm.interventions.Proportion(0.1), 0.02),
    mean=(rm.interventions.Mean(40.0), 3.0),
    survival=(rm.interventions.Survival(0.3), 0.8),
    clustered_share=(rm.interventions.Clustered(rm.interventions.Proportion(0.1), size=25, icc=0.02), 0.03),
    clustered_mean=(rm.interventions.Clustered(rm.interventions.Mean(40.0), size=10, icc=0.05, size_cv=0.4), 5.0),
)


@entry("planning")
def planned():
    return each(
        lambda kind: Parts(
            size=tried(rm.sample_size, *kind),
            size_asked=tried(lambda: rm.sample_size(*kind, power=0.9, share=0.3, level=0.9)),
            power=[tried(rm.interventions.power, *kind, n) for n in (500, 2_000, 20_000)],
            power_asked=tried(lambda: rm.interventions.power(*kind, 3_000, share=0.2, level=0.8)),
            detectable=[tried(rm.interventions.minimum_detectable_effect, kind[0], n) for n in (500, 2_000, 20_000)],
            detectable_asked=tried(
                lambda: rm.interventions.minimum_detectable_effect(kind[0], 3_000, power=0.9, share=0.7, level=0.99)
            ),
            largest=kind[0].largest,
            distance=kind[0].distance(kind[1]),
            variances=kind[0].variances(kind[1], 0.4),
        ),
        KINDS,
    )


@entry("sequential")
def looked():
    fractions = [0.25, 0.5, 0.75, 1.0]
    effects = rm.differences(experiment(), BOUGHT)
    return Parts(
        bounds=rm.interventions.sequential_bounds(fractions),
        pocock=tried(lambda: rm.interventions.sequential_bounds(fractions, level=0.9, spending="pocock")),
        spent=[error_spent(fraction) for fraction in np.linspace(0.1, 1, 5)],
        looks=[
            Parts(look=look, stop=look.stop)
            for effect in effects
            for look in (
                rm.interventions.interim_look(effect, [0.5]),
                rm.interventions.interim_look(effect, fractions),
                rm.interventions.interim_look(effect, fractions[:3]),
            )
        ],
    )
