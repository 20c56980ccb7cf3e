"""Models of purchases and of spend at fixed parameters: every method, on histories of CDNOW and on corners."""

import numpy as np

import retention_models as rm
from ledger_entries import entry
from ledger_entries.flatten import Parts, tried
from ledger_entries.inputs import customers, months

MODELS = {
    "pareto_nbd": rm.ParetoNBD(r=0.553, alpha=10.578, s=0.606, beta=11.669),
    "bg_nbd": rm.BGNBD(r=0.243, alpha=4.414, a=0.793, b=2.426),
    "mbg_nbd": rm.MBGNBD(r=0.525, alpha=6.183, a=0.891, b=1.614),
    "bg_cnbd_2": rm.BGCNBD(r=0.4, alpha=4.0, a=0.6, b=2.0, k=2),
    "mbg_cnbd_3": rm.MBGCNBD(r=0.5, alpha=3.0, a=0.8, b=1.7, k=3),
    "nbd": rm.NBD(r=0.385, alpha=12.07),
    "bg_bb": rm.BGBB(alpha=1.204, beta=0.75, gamma=0.657, delta=2.783),
}
CORNERS = ([0, 0, 1, 1, 7, 40, 200], [0, 0, 1e-3, 30, 30, 38, 39], [1, 39, 39, 39, 39, 39, 40])
COUNTED_CORNERS = ([0, 0, 1, 9, 4], [0, 0, 9, 9, 5], [1, 9, 9, 9, 9])


def histories(model):
    """Every 25th customer, and histories at the corners; whole numbers where opportunities are counted."""
    counted = isinstance(model, rm.BGBB)
    some = (months() if counted else customers()).iloc[::25]
    corners = COUNTED_CORNERS if counted else CORNERS
    columns = zip(("frequency", "recency", "T"), corners, strict=True)
    return tuple(np.append(some[name].to_numpy(dtype=float), corner) for name, corner in columns)


def at_histories(model):
    """All that a model says of customers with a history."""
    rows = histories(model)
    counts = np.arange(6.0)[:, None]
    return Parts(
        log_likelihood=model.log_likelihood(*rows),
        score=model.score(*rows),
        probability_alive=model.probability_alive(*rows),
        staying=model.probability_staying(10.0, *rows),
        expected_short=model.expected_purchases(1.0, *rows),
        expected=model.expected_purchases(39.0, *rows),
        variance=model.purchases_variance(39.0, *rows),
        probability=model.purchase_probability(counts, 12.0, *rows),
        probability_later=tried(lambda: model.purchase_probability(counts, 12.0, *rows, start=4.0)),
        discounted=model.discounted_expected_purchases(0.003, *rows),
        discounted_within=model.discounted_expected_purchases(0.003, *rows, horizon=52.0),
        conditional=model.future_process(*rows)[0],
    )


def of_new(model):
    """All that a model says of new customers."""
    horizon, counts = np.array([0.0, 1.0, 4.0, 39.0, 520.0]), np.arange(12.0)[:, None]
    return Parts(
        expected=model.expected_purchases_new(horizon),
        staying=model.probability_staying_new(horizon),
        probability=model.purchase_probability_new(counts, horizon[1:]),
        probability_later=model.purchase_probability_new(counts, 20.0, 5.0),
        discounted=model.discounted_expected_purchases_new(np.array([0.001, 0.01, 0.1])),
        discounted_within=model.discounted_expected_purchases_new(0.01, horizon=np.array([10.0, 100.0])),
    )


def simulated(model):
    age = np.full(200, 20.0)
    return Parts(
        customers=model.simulate(age, np.random.default_rng(4)),
        transactions=tried(
            lambda: model.simulate_transactions(age, np.random.default_rng(4), start="2024-01-01", time_unit="W")
        ),
    )


for name, model in MODELS.items():
    entry(f"models.{name}.histories")(lambda model=model: at_histories(model))
    entry(f"models.{name}.new")(lambda model=model: of_new(model))
    entry(f"models.{name}.simulate")(lambda model=model: simulated(model))
    entry(f"models.{name}.class")(
        lambda model=model: Parts(
            columns=model.columns, fixed=model.fixed, time=model.time_parameters, limits=getattr(model, "limits", ())
        )
    )


@entry("models.gamma_gamma")
def gamma_gamma():
    model = rm.GammaGamma(p=6.25, q=3.74, v=15.44)
    some = customers().iloc[::10]
    rows = some["frequency"].to_numpy(dtype=float), some["monetary_value"].to_numpy(dtype=float)
    bought = rows[0] > 0
    paid = rows[0][bought], rows[1][bought]
    return Parts(
        log_likelihood=model.log_likelihood(*paid),
        score=model.score(*paid),
        expected=model.expected_spend(*paid),
        expected_all=tried(lambda: model.expected_spend(*rows)),
        has_mean=model.has_mean(rows[0]),
        simulate=model.simulate(np.arange(100.0), np.random.default_rng(2)),
    )
