"""Fader & Hardie (2007), "How to Project Customer Retention", Journal of Interactive Marketing 21(1), 76-90.

SURVIVORS of 1,000 customers in years 0 to 12 are the paper's. ESTIMATES (parameters, standard errors, log-likelihood,
survivors of 1,000 in year 12) use the first 7 or 4 renewals; the sBG ones on 7 renewals are printed there, all were
recomputed with an independent implementation. Two misprints in the paper: its body prints alpha 0.688 for the high
end (its appendix has 0.668, which is right), and says that the model overestimates year 12; it underestimates.
"""

SURVIVORS = {
    "regular": [1000, 631, 468, 382, 326, 289, 262, 241, 223, 207, 194, 183, 173],
    "high end": [1000, 869, 743, 653, 593, 551, 517, 491, 468, 445, 427, 409, 394],
}
ESTIMATES = {
    ("regular", 7, "ShiftedBetaGeometric"): ([0.704077, 1.182043], [0.0656, 0.1525], -1680.265188, 170.0),
    ("regular", 7, "BetaDiscreteWeibull"): ([0.455614, 0.779326, 1.283451], None, -1679.602833, 177.3),
    ("high end", 7, "ShiftedBetaGeometric"): ([0.668088, 3.806095], [0.1037, 0.7855], -1611.158147, 378.0),
    ("high end", 7, "BetaDiscreteWeibull"): ([0.214253, 1.426575, 1.723565], None, -1605.314213, 403.9),
    ("regular", 4, "ShiftedBetaGeometric"): ([0.763665, 1.295830], None, -1401.559424, 159.5),
    ("regular", 4, "BetaDiscreteWeibull"): ([0.523029, 0.894283, 1.196399], None, -1401.383052, 171.4),
    ("high end", 4, "ShiftedBetaGeometric"): ([1.280976, 7.790383], None, -1225.134907, 307.0),
    ("high end", 4, "BetaDiscreteWeibull"): ([0.259336, 1.722551, 1.584362], None, -1222.749318, 388.9),
}
# Discounted expected lifetime and residual lifetimes just before renewals 1 to 5, sBG on 4 renewals, 10 % a year.
LIFETIMES = {
    "regular": (3.6211, [2.8833, 3.9407, 4.6766, 5.2363, 5.6838]),
    "high end": (5.4638, [4.9102, 5.1893, 5.4401, 5.6671, 5.8738]),
}
