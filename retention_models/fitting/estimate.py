"""Maximum-likelihood fits: one model to one table of customers, and to each of its groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from retention_models.core.arguments import require_bool
from retention_models.core.arrays import Array
from retention_models.estimation.design import Design
from retention_models.estimation.formula import parse_formula
from retention_models.estimation.likelihood import Optimum, maximise
from retention_models.estimation.model import Model, averaged_columns, parameter_names
from retention_models.estimation.newton import ConvergenceError
from retention_models.estimation.random_effects import near_maxima
from retention_models.estimation.with_covariates import maximise_with_covariates
from retention_models.fitting.calendar_covariates import PATH, fit_calendar, read_paths
from retention_models.fitting.calendar_months import CalendarMonths
from retention_models.fitting.data_requirements import (
    require_enough,
    require_few_coefficients,
    require_not_explained,
    require_roles,
    require_tenures,
)
from retention_models.fitting.formula_terms import CALENDAR, CovariateTerms
from retention_models.fitting.homogeneity_check import homogeneity_check
from retention_models.fitting.models import MODELS
from retention_models.fitting.notes import notes_on
from retention_models.fitting.result import Fit
from retention_models.tables.customer_table import (
    CustomerTable,
    open_customers,
    read_covariates,
    read_table,
    require_opportunities,
)
from retention_models.tables.groups import Labels, read_groups
from retention_models.tables.observation_end import require_last_day


def fit(
    model_class: type[Model],
    customers: Any,
    *,
    purchase_covariates: str | None = None,
    dropout_covariates: str | None = None,
    spend_covariates: str | None = None,
    churn_covariates: str | None = None,
    calendar_covariates: str | None = None,
    calendar_by: str | Sequence[str] = "cohort",
    by: Labels | None = None,
    robust: bool = False,
) -> Fit:
    """A model fitted by maximum likelihood to a table of customers or contracts.

    Parameters
    ----------
    model_class
        A model class, for example ``ParetoNBD`` or ``ShiftedBetaGeometric``.
    customers
        A pandas or Polars frame with the columns of the model: ``frequency, recency, T`` for purchases, ``frequency,
        monetary_value`` for ``GammaGamma``, ``tenure, at_risk, lost`` for contracts. One row a customer, or one row a
        distinct history with a column ``weight``; from ``summarize``, ``histories`` or ``retention_table``.
    purchase_covariates
        Formula of the columns that change how often customers buy, for example ``"gender + log(age)"``; by default
        none. See Notes.
    dropout_covariates
        Formula of the columns that change how soon customers leave; by default none.
    spend_covariates
        Formula of the columns that change how much customers spend (``GammaGamma``); by default none.
    churn_covariates
        Formula of the columns that change how soon customers with contracts leave (``ShiftedBetaGeometric``,
        ``BetaDiscreteWeibull``, ``FlooredBetaGeometric``); by default none.
    calendar_covariates
        Formula of columns of the time at which a renewal is due, such as a price increase, for the same models; by
        default none. Each calendar needs a row for every renewal from the first one on (``at_risk`` 0 if nobody was
        observed).
    calendar_by
        Columns that, with the columns of ``churn_covariates``, identify customers who met the same calendar; by
        default ``"cohort"``.
    by
        Fit each group as well: the name of a column, or one label for each customer (a Series by its index, a list or
        array in the order of the table). ``"cohort"`` is the month of ``first_purchase`` if there is no such column. By
        default only the fit of all customers.
    robust
        True for robust standard errors (sandwich, Huber-White), which hold if the model is only roughly right. By
        default False.

    Returns
    -------
    Fit
        Estimates with covariance, log-likelihood, notes, and a record of the data. With ``by``, ``groups`` holds the
        fit of each group, and ``checks`` whether the groups agree.

    Raises
    ------
    TypeError
        When ``model_class`` is not a model class.
    ValueError
        When a column is missing or breaks a rule, or when the data are too few. Also when a covariate is missing for a
        customer, is the same for all, depends on others linearly, or predicts an outcome perfectly; when ``robust`` is
        neither True nor False.
    ConvergenceError
        When no maximum of the likelihood was found.

    Notes
    -----
    Newton's method on the logarithms of the parameters, so the time unit does not matter. A parameter that runs
    to 0 or to infinity is held there, and a note says so.

    A formula consists of columns, ``+ - : *``, powers up to 3 and the functions ``C, exp, log, log10, log2, sqrt,
    scale, poly, bs``. Within a function numbers and arithmetic are allowed, as in ``log(1 + age)``. Back quotes enclose
    a name that is no Python name. Anything else, such as ``I(age > 30)``, must be a column of the table.

    Text columns are categories with the first level (in alphabetical order, or in the order of the categories) as the
    baseline; ``C(channel, Treatment('web'))`` chooses another one. ``C(year)`` makes categories of numbers. Covariates
    z act through an index z'g, where g are the coefficients ``purchase[...]``, ``dropout[...]``, ``spend[...]`` and
    ``churn[...]``. ``fit.model`` is the model of a customer whose covariates are all 0. The index changes the model as
    follows:

    - purchase rates are multiplied by exp(z'g): alpha becomes alpha exp(-z'g);
    - drop-out rates of ``ParetoNBD`` are multiplied by exp(z'g): beta becomes beta exp(-z'g);
    - the logit of the mean drop-out probability, a / (a + b), increases by z'g, and a + b is the same for all;
    - the logits of the mean probabilities of ``BGBB``, alpha / (alpha + beta) to buy and gamma / (gamma + delta) to
      leave, increase by z'g;
    - amounts are multiplied by exp(z'g): v becomes v exp(z'g);
    - the logit of the mean churn probability, alpha / (alpha + beta), increases by z'g, and alpha + beta is the same
      for all;
    - calendar covariates multiply the exposure of a renewal by exp(z'g): S(t) = B(alpha, beta + C(t)) / B(alpha, beta),
      where C(t) adds up [u^c - (u - 1)^c] exp(z'g) over the renewals u up to t. Fader & Hardie (2020), "Incorporating
      Time-Varying Covariates in a Simple Mixture Model for Discrete-Time Duration Data", with a beta instead of a gamma
      mixture. If the table has the column ``calendar`` (``logs.with_events``), forecasts and values follow the
      calendar. The column ``month`` continues with the months of the year. Any other column keeps its last value, so no
      event happens again. Without that column, or where covariates differ within a month, they take covariates of 0.
      ``forecast.predict_retention`` takes any others.

    Rates as in Fader & Hardie (2007), "Incorporating Time-Invariant Covariates into the Pareto/NBD and BG/NBD Models".
    With covariates the number of stages k is that of the model without covariates.

    Examples
    --------
    >>> import retention_models as rm
    >>> customers = rm.summarize(rm.datasets.load_cdnow(), calibration_end="1997-09-30")
    >>> rm.fit(rm.ParetoNBD, customers)
    ParetoNBD fitted to 2,357 customers, log-likelihood -9,595, AIC 19,198, standard errors
               estimate  std_error  lower  upper
    parameter
    r             0.553     0.0476  0.467  0.655
    alpha          10.6      0.843   9.05   12.4
    s             0.606      0.187  0.331   1.11
    beta           11.7       6.21   4.11   33.1

    With a covariate, here the month in which customers came:

    >>> customers["month"] = customers["first_purchase"].dt.month_name()
    >>> rm.fit(rm.ParetoNBD, customers, purchase_covariates="month").table().round(3)
                                estimate  std_error  lower   upper
    parameter
    r                              0.554      0.048  0.468   0.657
    alpha                         10.335      0.980  8.582  12.447
    s                              0.605      0.186  0.330   1.106
    beta                          11.591      6.167  4.086  32.884
    purchase[month[T.January]]    -0.022      0.093 -0.203   0.160
    purchase[month[T.March]]      -0.058      0.097 -0.248   0.131
    """
    if not (isinstance(model_class, type) and hasattr(model_class, "columns")):
        raise TypeError(f"fit takes a model class, one of {', '.join(MODELS)}; got {model_class!r}")
    require_bool("robust", robust)
    customers = open_customers(customers)
    table = read_table(customers, model_class.columns, averaged_columns(model_class))
    require_last_day(table.about)
    require_opportunities(model_class, table)
    formulas = {
        "purchase": purchase_covariates,
        "dropout": dropout_covariates,
        "spend": spend_covariates,
        "churn": churn_covariates,
        CALENDAR: calendar_covariates,
    }
    asked = {role: formula for role, formula in formulas.items() if formula is not None}
    require_roles(model_class, asked)
    covariate_terms, blocks = _apply_formulas(model_class, asked, customers, table)
    if CALENDAR not in asked and calendar_by != "cohort":
        raise ValueError(
            f"calendar_by={calendar_by!r} is used only with calendar_covariates; state these, or leave calendar_by out"
        )
    if CALENDAR in asked:
        names = (calendar_by,) if isinstance(calendar_by, str) else tuple(calendar_by)
        months = CalendarMonths.from_table(customers, covariate_terms.designs[CALENDAR])
        covariate_terms = replace(covariate_terms, calendar_by=names, months=months)
        blocks[PATH] = read_paths(customers, names, blocks.get("churn"))
    table = table.with_covariates(blocks) if blocks else table
    pooled = _fit_table(model_class, table, covariate_terms, robust)
    if by is None:
        return pooled
    groups, tables, notes = {}, {}, []
    parts = read_groups(customers, by)
    for (label, lines), start in zip(parts.items(), _group_starts(pooled, table, list(parts.values())), strict=True):
        try:
            tables[label] = table.of_lines(lines)
            groups[label] = _fit_table(model_class, tables[label], covariate_terms, robust, start)
        except (ValueError, ConvergenceError) as error:
            notes.append(f"The group {label} could not be fitted on its own: {error}.")
    check = homogeneity_check(pooled, groups, tables)
    return replace(pooled, groups=groups, notes=(*pooled.notes, *notes), checks=(check,))


def _apply_formulas(
    model_class: type[Model], formulas: Mapping[str, str], customers: Any, table: CustomerTable
) -> tuple[CovariateTerms, dict[str, Array]]:
    """The covariates of the customers that the model can use, and their design columns by role."""
    is_informative = ~_is_uninformative(model_class, table)[table.row]
    designs: dict[str, Design] = {}
    blocks: dict[str, Array] = {}
    for role, formula in formulas.items():
        names = parse_formula(formula).columns
        require_not_explained(model_class, names, role)
        frame = read_covariates(customers, names, formula)[is_informative]
        designs[role] = Design.from_formula(formula, frame)
        blocks[role] = np.zeros((len(is_informative), len(designs[role].labels)))
        blocks[role][is_informative] = designs[role].matrix(frame)
    return CovariateTerms(designs), blocks


def _group_starts(pooled: Fit, table: CustomerTable, groups: Sequence[NDArray[np.bool_]]) -> Sequence[Model | None]:
    """Start of the fit of each group: for contracts without covariates near its maximum, found for all at once."""
    names = parameter_names(type(pooled.model))
    is_simple = len(pooled.covariance) == len(names) and not pooled.covariate_terms.n
    if not (is_simple and "at_risk" in type(pooled.model).columns):
        return [None] * len(groups)
    tenure, at_risk, lost = (column[table.row] for column in table.columns)
    columns = tenure, at_risk * table.line_weight, lost * table.line_weight
    code = np.argmax(np.stack(groups), axis=0)
    places = near_maxima(type(pooled.model), columns, code, np.log(pooled.params.to_numpy()))
    return [type(pooled.model)(**dict(zip(names, values, strict=True))) for values in np.exp(places).tolist()]


def _fit_table(
    model_class: type[Model],
    table: CustomerTable,
    covariate_terms: CovariateTerms,
    robust: bool,
    start: Model | None = None,
) -> Fit:
    table, left_out = _informative_rows(model_class, table)
    histories = table.of_columns(len(model_class.columns)) if covariate_terms.n else table
    if "at_risk" in model_class.columns:
        table, histories = table.by_tenure(), histories.by_tenure()
        require_tenures(model_class, histories, robust)
    else:
        require_enough(model_class, histories, left_out)
    names, arrays = (*model_class.columns, *averaged_columns(model_class)), (*histories.columns, *histories.means())
    optimum = maximise(model_class, dict(zip(names, arrays, strict=True)), histories.weight, start, robust=robust)
    if covariate_terms.n:
        optimum, covariate_terms = _fit_covariates(optimum, table, covariate_terms, robust)
    labels = pd.Index(optimum.free)
    return Fit(
        model=optimum.model,
        covariance=pd.DataFrame(optimum.covariance, index=labels, columns=labels),
        log_likelihood=optimum.log_likelihood,
        n_customers=round(histories.n_customers),
        notes=notes_on(optimum, covariate_terms, left_out, histories),
        data={**_data_record(model_class, histories), "left_out": left_out},
        robust=robust,
        covariate_terms=covariate_terms,
    )


def _data_record(model_class: type[Model], table: CustomerTable) -> dict[str, Any]:
    """The record of the data in a fit: their origin, and a retention table itself, which is small."""
    about = {**table.about, "rows": len(table.weight), "sha256": table.sha256()}
    if "at_risk" in model_class.columns:
        about["kept"] = {n: c.tolist() for n, c in zip(model_class.columns, table.columns, strict=True)}
    return about


def _fit_covariates(
    plain: Optimum, table: CustomerTable, covariate_terms: CovariateTerms, robust: bool
) -> tuple[Optimum, CovariateTerms]:
    """The maximum with covariates, from the one without them unless that has a parameter at a limit."""
    require_few_coefficients(covariate_terms, table)
    if CALENDAR in covariate_terms.designs:
        return fit_calendar(plain, table, covariate_terms)
    rows = (*table.columns, *table.means())
    model_class = type(plain.model)
    fixed = {name: getattr(plain.model, name) for name in plain.model.fixed}
    is_inside = set(plain.free) == set(parameter_names(model_class))
    start = plain.model if is_inside else model_class.start(*rows, weight=table.weight, **fixed)
    covariates = covariate_terms.by_link(model_class, table.covariates)
    try:
        found = maximise_with_covariates(start, rows, table.weight, covariates, robust=robust)
    except ValueError as error:
        context = "".join(f"; without covariates, {limit.model}" for limit in plain.limits)
        raise ValueError(f"{error}{context}") from None
    return found.optimum, replace(
        covariate_terms, coefficients=pd.Series(found.coefficients, dtype=float, name="coefficient")
    )


def _informative_rows(model_class: type[Model], table: CustomerTable) -> tuple[CustomerTable, dict[str, int]]:
    """The rows that a model can use, and how many customers were left out for each reason."""
    counts = {
        reason: round(float(table.weight[rows].sum()))
        for reason, rows in _exclusion_reasons(model_class, table).items()
    }
    is_uninformative = _is_uninformative(model_class, table)
    kept = table.of_lines(~is_uninformative[table.row]) if is_uninformative.any() else table
    return kept, {reason: n for reason, n in counts.items() if n}


def _is_uninformative(model_class: type[Model], table: CustomerTable) -> NDArray[np.bool_]:
    """Which rows a model cannot use."""
    return np.any([np.zeros(len(table.weight), dtype=bool), *_exclusion_reasons(model_class, table).values()], axis=0)


def _exclusion_reasons(model_class: type[Model], table: CustomerTable) -> dict[str, NDArray[np.bool_]]:
    """Rows that a model cannot use, by reason."""
    return model_class.left_out(*table.columns[: len(model_class.columns)]) if hasattr(model_class, "left_out") else {}


def fitted_table(fit: Fit, customers: Any) -> CustomerTable:
    """The distinct rows that a fit was made from: the columns that ``log_likelihood`` takes, and the covariates.

    Raises
    ------
    ValueError
        When the table is another than that of the fit, or one of contracts, which holds only sums.
    """
    model_class = type(fit.model)
    if "at_risk" in model_class.columns:
        raise ValueError("a row for each customer is needed, but a retention table has only their sums")
    table = read_table(customers, (*model_class.columns, *averaged_columns(model_class)))
    is_informative = ~_is_uninformative(model_class, table)[table.row]
    require_fitted_to(fit, table.of_columns(len(model_class.columns)).of_lines(is_informative))
    if fit.covariate_terms.n:
        table = table.with_covariates(fit.covariate_terms.blocks(customers))
    return table if is_informative.all() else table.of_lines(is_informative)


def require_fitted_to(fit: Fit, histories: CustomerTable) -> None:
    """An error unless these are the histories, or the tenures, that a fit was made from."""
    if histories.sha256() != fit.data.get("sha256"):
        name, of_contracts = type(fit.model).__name__, "at_risk" in fit.model.columns
        given = f"these {histories.n_customers:,.0f} customers are not the ones"
        raise ValueError(
            f"{'this retention table is not the one' if of_contracts else given} that {name} was fitted to "
            f"({fit.n_customers:,} customers); pass the table that fit was given"
        )
