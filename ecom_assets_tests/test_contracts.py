"""Every contract binds: what it declares is refused by pandera and by the engines alike."""

import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

import narwhals as nw
import polars as pl
import pytest
from pandera.errors import SchemaErrors

from ecom_assets import features, feeds, gold, kpi, predictions, silver
from ecom_assets.contract import (
    Date,
    Feed,
    Layer,
    Model,
    RuleKind,
    Table,
    column,
    contract,
    feed_contract,
    feed_of,
    key,
    rule,
)
from ecom_assets_tests.samples import (
    POLARS_TYPES,
    as_arrived,
    breaking_row,
    collected,
    days,
    on_duckdb,
    promise_of,
    sample,
    verdicts,
)


def tables() -> Iterator[tuple[type[Model], Callable[..., nw.LazyFrame] | None]]:
    """Each contract of the layers, with its transform where it has one."""
    for package in (feeds, silver, gold, kpi, features, predictions):
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            module = import_module(found.name)
            for member in vars(module).values():
                if inspect.isclass(member) and issubclass(member, Model) and member.__module__ == module.__name__:
                    yield member, getattr(module, "transform", None)


MODELS = [model for model, _ in tables()]
TRANSFORMS = [(model, transform) for model, transform in tables() if transform]


def name(value: Any) -> str | None:
    return promise_of(value).name if inspect.isclass(value) else ""


FROM_FEEDS = [model for model in MODELS if issubclass(model, Feed)]


@pytest.mark.parametrize("model", FROM_FEEDS, ids=name)
def test_identifiers_of_feeds_have_words_for_nothing_and_free_texts_do_not(model):
    promised = promise_of(model)
    expected = {
        "device",
        "utm_source",
        "utm_medium",
        "utm_campaign",
        "coupon",
        "store",
        "merged_into",
        "location",
        "currency",
    }
    expected |= {"name"} if promised.name.endswith("campaigns") else set()

    found = {column.name for column in promised.columns.values() if column.words_for_nothing}

    assert found == {name for name in promised.columns if name.endswith("_id") or name in expected}
    feed = feed_of(model)
    assert feed is None or found == {column.name for column in feed.columns.values() if column.words_for_nothing}


@pytest.mark.parametrize("model", MODELS, ids=name)
def test_a_sample_keeps_every_rule(model):
    row = sample(model, {})

    model.validate(collected(row), lazy=True)
    for frame in (row, on_duckdb(row)):
        kept = collected(verdicts(promise_of(model).rules, frame)).row(0, named=True)
        assert [sentence for sentence, holds in kept.items() if not holds] == []


@pytest.mark.parametrize("model", MODELS, ids=name)
@pytest.mark.filterwarnings("ignore::pandera.errors.SchemaWarning")
def test_each_hard_rule_refuses_a_planted_row(model):
    rules = promise_of(model).hard_rules
    planted = [breaking_row(model, rule) for rule in rules]

    with pytest.raises(SchemaErrors) as refused:
        model.validate(pl.concat(planted), lazy=True)
    assert set(refused.value.failure_cases["index"]) == set(range(len(planted)))
    numbered = nw.from_native(pl.concat(planted).lazy().with_row_index("_number"))
    for frame in (numbered, on_duckdb(numbered)):
        kept = collected(verdicts(rules, frame, "_number")).sort("_number")
        assert [rule.sentence for number, rule in enumerate(rules) if kept[rule.sentence][number]] == []


def transformed(transform: Callable[..., Any], frames: Mapping[str, nw.LazyFrame]) -> pl.DataFrame:
    """What a transform makes of frames; one that is eager gets them in memory."""
    wanted = inspect.get_annotations(transform, eval_str=True)
    made = transform(
        **{name: collected(frame) if wanted[name] is pl.DataFrame else frame for name, frame in frames.items()}
    )
    return made if isinstance(made, pl.DataFrame) else collected(made)


@pytest.mark.parametrize(("model", "transform"), TRANSFORMS, ids=name)
def test_nothing_becomes_nothing_of_the_contracts_types(model, transform):
    by_name = {promise_of(other).name.replace(".", "_"): other for other in MODELS}
    inputs = {}
    for parameter in inspect.signature(transform).parameters:
        if parameter.startswith("bronze_"):
            # Silver's transforms get what arrived in the types that silver declares.
            silver = by_name[parameter.replace("bronze_", "silver_")]
            inputs[parameter] = sample(model) if feed_of(model) else as_arrived(silver)
        elif parameter != "days":
            inputs[parameter] = sample(by_name[parameter])
    if "days" in inspect.signature(transform).parameters:
        inputs["days"] = days("2024-01-01").head(0)

    for on_engine in (lambda frame: frame, on_duckdb):
        made = transformed(transform, {parameter: on_engine(frame) for parameter, frame in inputs.items()})

        assert made.is_empty()
        assert dict(made.schema) == {
            column.name: POLARS_TYPES[column.kind] for column in promise_of(model).columns.values()
        }


class Visits(Feed, name="feeds.visits", primary_key="visit_id", event_column="visit_id", version_column="visit_id"):
    """One row per visit."""

    visit_id: str = key("Number of the visit")


class TypedVisits(Visits, name="silver.visits", partition_column="visit_id", max_bad_share=0.5):
    """One row per visit, typed."""


def test_a_table_that_inherits_from_a_feed_has_its_columns_and_key_and_knows_it():
    class OtherVisits(TypedVisits, name="silver.other_visits"):
        """One row per visit, typed otherwise."""

    assert contract(TypedVisits).primary_key == ("visit_id",)
    assert contract(TypedVisits).layer is Layer.SILVER
    assert feed_of(TypedVisits) == feed_of(OtherVisits) == feed_contract(Visits)
    assert (contract(OtherVisits).max_bad_share, contract(OtherVisits).partition_column) == (0.5, "visit_id")


def test_a_feed_is_stored_as_sent_by_arrival_day():
    bronze = feed_contract(Visits).as_sent()

    assert (bronze.name, bronze.layer, bronze.partition_column) == ("bronze.visits", Layer.BRONZE, "arrived_on")


def test_a_feed_without_a_moment_and_a_table_without_a_day_are_refused():
    class Dateless(Feed, name="feeds.dateless"):
        """One row per visit."""

    class Dayless(Table, name="gold.dayless"):
        """One row per visit."""

    with pytest.raises(TypeError, match=r"feeds\.dateless has no event_column="):
        feed_contract(Dateless)
    with pytest.raises(TypeError, match=r"feeds\.dateless has no partition_column="):
        contract(Dateless)
    with pytest.raises(TypeError, match=r"gold\.dayless has no partition_column="):
        contract(Dayless)


def test_a_table_that_is_from_no_feed_has_no_event_column():
    with pytest.raises(TypeError, match="event_column"):

        class Timed(Table, name="gold.timed", event_column="day"):  # type: ignore[call-arg]
            """One row per day."""


def test_rules_have_ids_that_are_their_own():
    class Sums(Table, name="gold.sums", primary_key="day", partition_column="day"):
        """One row per day."""

        day: Date = key("Day")
        amount: int = column("Sum", ge=0)

        @rule
        def not_thirteen(cls) -> nw.Expr:
            """The sum is not 13."""
            return nw.col("amount") != 13

    class Repeated(Sums, name="gold.repeated"):
        """One row per day."""

        @rule
        def amount_present(cls) -> nw.Expr:
            """There is a sum."""
            return ~nw.col("amount").is_null()

    assert [(rule.id, rule.kind, rule.column) for rule in contract(Sums).rules] == [
        ("day_present", RuleKind.PRESENT, "day"),
        ("amount_present", RuleKind.PRESENT, "amount"),
        ("amount_greater_than_or_equal_to", RuleKind.COLUMN, "amount"),
        ("not_thirteen", RuleKind.BUSINESS, None),
    ]
    with pytest.raises(TypeError, match=r"gold\.repeated has two rules amount_present"):
        contract(Repeated)
