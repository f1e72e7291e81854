"""Customers who were merged into one another: who goes on under which number."""

from collections.abc import Iterable, Iterator


def survivors_of(merges: str) -> str:
    """Returns SQL for each merged `number` and its `survivor`: the number at the end of its chain of merges.

    The latest row about a number counts. Numbers that are merged in a circle are one customer too: what was said of
    them first no longer holds, so the survivor is the number about which the oldest row of the circle is.

    Args:
        merges: SQL for rows with `customer_id`, `merged_into`, `merged_at` and `is_deleted`, which undoes a merge.
    """
    return f"""
WITH RECURSIVE holding AS (
    SELECT number, latest.goes_to AS goes_to, latest.merged_at AS merged_at
    FROM (
        SELECT
            customer_id AS number,
            arg_max({{'goes_to': merged_into, 'merged_at': merged_at, 'is_deleted': is_deleted}}, merged_at) AS latest
        FROM {merges}
        GROUP BY customer_id)
    WHERE latest.is_deleted IS NOT TRUE
),
chains AS (
    SELECT number, goes_to AS reached FROM holding
    UNION
    SELECT chains.number, holding.goes_to FROM chains JOIN holding ON holding.number = chains.reached
),
ends AS (
    SELECT
        chains.number,
        coalesce(
            max(reached) FILTER (holding.number IS NULL),
            arg_min(reached, {{'merged_at': holding.merged_at, 'number': reached}})
                FILTER (circle.number IS NOT NULL)
        ) AS survivor
    FROM chains
    LEFT JOIN holding ON holding.number = chains.reached
    LEFT JOIN (SELECT number FROM chains WHERE number = reached) circle ON circle.number = chains.reached
    GROUP BY chains.number
)
SELECT number, survivor FROM ends WHERE number <> survivor
"""


def circles(merges: Iterable[tuple[str, str | None]]) -> Iterator[bool]:
    """Yields of each merge, in the order of time, whether it closes a circle: it leads back to the merged number.

    A merge is the merged number and the one into which it is merged, None if the merge is undone.
    """
    into: dict[str, str | None] = {}
    for number, target in merges:
        into[number] = target
        seen, reached = {number}, target
        while reached is not None and reached not in seen:
            seen.add(reached)
            reached = into.get(reached)
        yield reached == number


def survivors(merges: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """Returns the survivor of each merged number: the same that `survivors_of` finds.

    A merge is the merged number and the one into which it is merged, None if the merge is undone; in the order of time.
    """
    said = {number: (target, place) for place, (number, target) in enumerate(merges)}
    holding = {number: (target, place) for number, (target, place) in said.items() if target is not None}
    found = {}
    for number in holding:
        chain, reached = [number], holding[number][0]
        while reached in holding and reached not in chain:
            chain.append(reached)
            reached = holding[reached][0]
        if reached in chain:
            reached = min(chain[chain.index(reached) :], key=lambda one: holding[one][1])
        if reached != number:
            found[number] = reached
    return found
