import pytest
from nbformat.v4 import new_code_cell, new_notebook

from retention_models.report.errors import RequestError
from retention_models.report.parameters import check_settings, parse_settings, read_parameters, set_parameters

SOURCE = """\
horizon = 39  # weeks to forecast
currency = "€"; level = 0.95
start: str = (
    "1997-01-01"
)"""


def parameters(source: str):
    return new_notebook(cells=[new_code_cell("horizon = 1"), new_code_cell(source, metadata={"tags": ["parameters"]})])


def test_parameters_are_the_constants_of_the_tagged_cell() -> None:
    found = read_parameters(parameters(SOURCE))
    assert found == {"horizon": "39", "currency": '"€"', "level": "0.95", "start": '"1997-01-01"'}


def test_settings_replace_values_and_nothing_else() -> None:
    notebook = parameters(SOURCE)
    set_parameters(notebook, {"horizon": 52, "level": 0.9, "currency": "$", "start": None, "unknown": 1})
    assert notebook.cells[0].source == "horizon = 1"
    assert notebook.cells[1].source == (
        "horizon = 52  # weeks to forecast\ncurrency = '$'; level = 0.9\nstart: str = (\n    None\n)"
    )


def test_a_notebook_without_parameters_is_left_alone() -> None:
    notebook = new_notebook(cells=[new_code_cell("horizon = 39")])
    set_parameters(notebook, {"horizon": 52})
    assert read_parameters(notebook) == {}
    assert notebook.cells[0].source == "horizon = 39"


def test_a_setting_that_one_notebook_knows_is_accepted() -> None:
    check_settings({"horizon": 52}, {"one": new_notebook(), "two": parameters("horizon = 39")})


def test_an_unknown_setting_lists_the_parameters_there_are() -> None:
    with pytest.raises(RequestError, match="no notebook has a parameter horzion; one has horizon, level; two has none"):
        check_settings({"horzion": 52}, {"one": parameters("horizon = 39\nlevel = 1"), "two": new_notebook()})


@pytest.mark.parametrize("word", ["horizon", "=52", "hori zon=52"])
def test_a_setting_has_a_name_and_a_value(word: str) -> None:
    with pytest.raises(RequestError, match="--set takes NAME=VALUE"):
        parse_settings([word])


def test_a_value_may_hold_an_equals_sign() -> None:
    assert parse_settings(["filter=a=b"]) == {"filter": "a=b"}
