"""Where tables meet models: maximum likelihood, tests between models, bootstrap and curves."""
