"""Numbers that are merged end at one survivor, whatever the order of the rows."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecom_assets.expressions.survivors import circles, survivors_of

Merge = tuple[str, str | None]
"""A merged number and the one into which it is merged, None if the merge is undone."""


def survivors(*merges: Merge) -> dict[str, str]:
    """The survivors of numbers, after merges one day apart."""
    rows = ", ".join(
        f"('{number}', {repr(into) if into else 'null'}, date '2024-01-01' + {day}, {into is None})"
        for day, (number, into) in enumerate(merges)
    )
    columns = "(customer_id, merged_into, merged_at, is_deleted)"
    given_rows = (
        f"(select * from (values ('', '', null, true){rows and ', '}{rows}) t {columns} where customer_id <> '')"
    )
    return dict(duckdb.sql(survivors_of(given_rows)).fetchall())


@pytest.mark.parametrize(
    ("merges", "expected"),
    [
        ([], {}),
        ([("a", "b")], {"a": "b"}),
        ([("a", "b"), ("b", "c")], {"a": "c", "b": "c"}),
        ([("b", "c"), ("a", "b")], {"a": "c", "b": "c"}),
        ([("a", "b"), ("a", "c")], {"a": "c"}),
        ([("a", "b"), ("a", None)], {}),
        ([("a", None), ("a", "b")], {"a": "b"}),
        ([("a", "b"), ("b", "c"), ("b", None)], {"a": "b"}),
        ([("a", "b"), ("b", "a")], {"b": "a"}),
        ([("b", "a"), ("a", "b")], {"a": "b"}),
        ([("a", "b"), ("b", "c"), ("c", "a"), ("x", "b")], {"b": "a", "c": "a", "x": "a"}),
    ],
)
def test_a_number_ends_at_the_end_of_its_chain(merges, expected):
    assert survivors(*merges) == expected


_numbers = st.sampled_from("abcde")
_merges = st.lists(
    st.tuples(_numbers, st.one_of(st.none(), _numbers)).filter(lambda merge: merge[0] != merge[1]), max_size=10
)


@given(_merges)
def test_each_number_ends_where_following_its_latest_merges_leads(merges):
    latest = {number: (day, into) for day, (number, into) in enumerate(merges)}
    into = {number: (day, target) for number, (day, target) in latest.items() if target}

    def end_of(number: str) -> str:
        path = [number]
        while path[-1] in into and (reached := into[path[-1]][1]) not in path:
            path.append(reached)
        if path[-1] not in into:
            return path[-1]
        return min(path[path.index(into[path[-1]][1]) :], key=lambda one: into[one][0])

    expected = {number: end_of(number) for number in into}
    assert survivors(*merges) == {number: end for number, end in expected.items() if end != number}


@given(_merges)
def test_the_last_merge_of_a_circle_closes_it(merges):
    """Whoever is left in a circle at the end is in one that was closed by the latest of its rows."""
    closing = list(circles(merges))
    into = dict(merges)
    days = {number: day for day, (number, _) in enumerate(merges)}
    for number in into:
        path = [number]
        while (reached := into.get(path[-1])) and reached not in path:
            path.append(reached)
        if reached == number:
            assert closing[max(days[one] for one in path)]


def test_a_merge_closes_a_circle_if_it_leads_back_to_its_number():
    assert list(circles([("a", "b"), ("b", "c"), ("c", "a"), ("x", "a"), ("b", None), ("c", "a")])) == [
        False,
        False,
        True,
        False,
        False,
        False,
    ]
