"""Labels of customers: a column, a Series found by its index, or one for each line; anything else is an error."""

import pandas as pd
import pytest

from retention_models.tables.groups import read_codes, read_groups


@pytest.fixture
def customers():
    return pd.DataFrame(
        {"frequency": [2, 0, 2, 5], "recency": [3.5, 0, 3.5, 8.0], "T": [10.0, 4.0, 10.0, 9.0]},
        index=pd.Index(["a", "b", "c", "d"], name="customer_id"),
    )


def test_a_series_finds_its_customers_by_index_and_a_list_by_position(customers):
    by = pd.Series(["x", "y", "x", "z"], index=list("abcd"), name="kind")
    code, names = read_codes(customers, by)
    assert (code.tolist(), names.tolist(), names.name) == ([0, 1, 0, 2], ["x", "y", "z"], "kind")
    for other in (by.iloc[::-1], by.reindex(list("dacbe"), fill_value="w")):
        again, _ = read_codes(customers, other)
        assert again.tolist() == code.tolist()
    assert read_codes(customers, by.iloc[::-1].tolist())[0].tolist() == [2, 0, 1, 0]
    assert read_codes(customers.assign(kind=by), "kind")[0].tolist() == code.tolist()
    assert read_codes(customers.reset_index(), by.rename_axis("customer_id").iloc[::-1])[0].tolist() == code.tolist()


def test_groups_in_the_order_of_categories_keep_it(customers):
    by = pd.Categorical(["small", "big", "small", "big"], categories=["small", "big"])
    assert list(read_groups(customers, by)) == ["small", "big"]
    assert list(read_groups(customers.assign(size=by), "size")) == ["small", "big"]


@pytest.mark.parametrize(
    ("by", "message"),
    [
        (pd.Series(1, index=list("abd")), r"by has no label for 1 of 4 customers \(first: customer_id c\); a Series"),
        (pd.Series(1, index=list("aabcd")), r"by has 1 customers more than once \(first: a\)"),
        ([1, "1", 2, 2], r"by has labels with the same text: 1 \(int\), '1' \(str\); merge them"),
        (["x", None, "x", "y"], r"by is missing for 1 of 4 customers \(first: customer_id b\); name the group"),
        (["x", "y"], "by has 2 labels for 4 customers"),
        (5, "by must be the name of a column, or one label for each customer; got 5"),
        ("seg", "by='seg' is not a column of the table"),
    ],
)
def test_labels_that_do_not_name_one_group_for_each_customer_are_errors(customers, by, message):
    with pytest.raises(ValueError, match=message):
        read_groups(customers, by)
