"""Orders in several currencies: amounts in the shop's, by the rate of the order's day, with the original kept."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ecom_assets.landing.feed_settings import FeedSettings
from ecom_assets.landing.zone import Zone
from ecom_assets.shop.shop import Shop as Synthetic
from ecom_assets.sources.synthetic import land_shop
from ecom_assets.warehouse.proof import settle, verify
from ecom_assets.warehouse.session import Session
from ecom_assets_tests.examples import examples
from ecom_assets_tests.warehouses import SMALL, START, run_all, session_over, upstream_of, window

pytestmark = pytest.mark.slow

SILVER = [f"silver.{feed}" for feed in ("orders", "order_items", "payments", "returns", "shipments", "ad_spend")]
KPI = ["kpi.daily_sales", "kpi.unsettled_orders", "kpi.incomplete_orders"]


def on(day: int) -> dt.date:
    return START + dt.timedelta(days=day)


@dataclass
class Shop:
    """A landing zone and a session on its warehouse, of a shop that counts in euros."""

    session: Session

    def land(self, feed: str, day: int, *rows: dict[str, object], file: str = "a.csv") -> None:
        header = dict.fromkeys(name for row in rows for name in row)
        lines = [",".join(str(row.get(name, "")) for name in header) for row in rows]
        self.session.zone.write(feed, on(day), file, "\n".join([",".join(header), *lines, ""]).encode())

    def rows(self, query: str) -> list[Any]:
        return self.session.con.execute(query).fetchall()

    def reasons(self, feed: str) -> list[Any]:
        return self.rows(f"select reason_codes from quarantine.{feed} order by all")

    def sales(self, amount: str = "total_sales") -> list[Any]:
        return self.rows(f"select (day - date '{START}')::int, {amount} from kpi.daily_sales order by all")


@contextmanager
def open_shop(folder: Path, *goals: str, currency: str | None = "EUR") -> Iterator[Shop]:
    tables = upstream_of(*(goals or SILVER))
    zone = Zone(folder)
    for feed in tables.feeds:
        zone.save_settings(feed, FeedSettings(due=frozenset()))
    shop = Shop(session_over(zone, tables=tables, currency=currency))
    shop.land("products", 0, {"product_id": "P", "changed_at": f"{on(-9)}T10:00:00Z", "price": 1})
    yield shop
    shop.session.con.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path) as shop:
        yield shop


@pytest.fixture
def selling(tmp_path: Path) -> Iterator[Shop]:
    with open_shop(tmp_path, *KPI) as shop:
        yield shop


def order(number: int, day: int, total: object, **more: object) -> dict[str, object]:
    at = f"{on(day)}T10:00:00Z"
    placed = {"order_id": f"O{number}", "ordered_at": at, "updated_at": at, "status": "paid", "channel": "web"}
    return {**placed, "subtotal": total, "discount": 0, "shipping": 0, "tax": 0, "total": total, **more}


def line(number: int, day: int, price: object, **more: object) -> dict[str, object]:
    at = f"{on(day)}T10:00:00Z"
    of = {"order_id": f"O{number}", "line_number": 1, "product_id": "P", "ordered_at": at, "updated_at": at}
    return {**of, "quantity": 1, "unit_price": price, "discount": 0, **more}


def payment(number: int, day: int, amount: object, **more: object) -> dict[str, object]:
    at = f"{on(day)}T11:00:00Z"
    paid = {"payment_id": number, "order_id": f"O{number}", "paid_at": at, "updated_at": at, "method": "card"}
    return {**paid, "status": "captured", "amount": amount, "fee": 0, **more}


def refund(number: int, day: int, amount: object, **more: object) -> dict[str, object]:
    at = f"{on(day)}T12:00:00Z"
    sent = {"return_id": f"R{number}", "order_id": f"O{number}", "product_id": "P", "returned_at": at}
    return {
        **sent,
        "updated_at": at,
        "channel": "web",
        "quantity": 1,
        "amount": amount,
        "shipping": 0,
        "tax": 0,
        **more,
    }


def rate(day: int, value: object, currency: str = "USD", **more: object) -> dict[str, object]:
    return {"currency": currency, "rate_on": on(day), "rate": value, **more}


def test_all_of_an_order_is_converted_at_the_rate_of_its_day(selling):
    selling.land("exchange_rates", 0, rate(0, "0.9"), rate(1, "0.8"))
    selling.land("orders", 0, order(1, 0, 100, currency="usd"), order(2, 0, 50), order(3, 0, 7, currency="EUR"))
    selling.land("order_items", 0, line(1, 0, 100), line(2, 0, 50), line(3, 0, 7))
    selling.land("payments", 0, payment(1, 1, 100), payment(2, 1, 50), payment(3, 1, 7))
    selling.land("returns", 1, refund(1, 1, 100))

    settle(selling.session)

    kept = "select order_id, total, currency, rate, foreign_total from silver.orders order by all"
    assert selling.rows(kept) == [
        ("O1", 90, "USD", Decimal("0.9"), 100),
        ("O2", 50, None, None, None),
        ("O3", 7, None, None, None),
    ]
    assert selling.rows("select amount, currency, foreign_amount from silver.payments order by all") == [
        (7, None, None),
        (50, None, None),
        (90, "USD", 100),
    ]
    assert selling.rows("select order_id, net_amount, currency, exchange_rate from gold.fact_sales order by all") == [
        ("O1", 90, "USD", Decimal("0.9")),
        ("O2", 50, None, None),
        ("O3", 7, None, None),
    ]
    assert selling.rows("select amount, currency, foreign_amount from gold.fact_returns") == [(90, "USD", 100)]
    assert selling.sales() == [(0, 147), (1, -90)]
    assert selling.rows("from kpi.unsettled_orders") == selling.rows("from kpi.incomplete_orders") == []
    assert verify(selling.session) is None


def test_an_order_without_a_rate_waits_for_it_and_comes_back(shop):
    def priced() -> list[str]:
        query = "select order_id || ' ' || unit_price::int from silver.order_items order by all"
        return [text for (text,) in shop.rows(query)]

    shop.land("orders", 0, order(1, 0, 100, currency="USD"), order(2, 0, 50))
    shop.land("order_items", 0, line(1, 0, 100), line(2, 0, 50))
    settle(shop.session)

    assert shop.reasons("orders") == [(["currency_missing_rate"],)]
    [[sentence]] = shop.rows("select reasons[1] from quarantine.orders")
    assert sentence.startswith(f"no rate of USD is known for {on(0)} or the 7 days before: land it in the feed exch")
    assert shop.reasons("order_items") == [(["order_id_missing_reference"],)]
    assert priced() == ["O2 50"]

    shop.land("exchange_rates", 3, rate(0, "0.9"))
    settle(shop.session)
    assert priced() == ["O1 90", "O2 50"]

    shop.land("exchange_rates", 4, rate(0, "0.7"))
    settle(shop.session)
    assert priced() == ["O1 70", "O2 50"]

    shop.land("exchange_rates", 5, rate(0, "", is_deleted="yes"))
    settle(shop.session)
    assert priced() == ["O2 50"]
    assert verify(shop.session) is None


def test_a_rate_is_good_for_seven_days_and_one_from_before_the_calendar_too(shop):
    shop.land("exchange_rates", 3, rate(-4, "0.5"), rate(3, "0.6"), rate(3, "0.1", currency="SEK"))
    shop.land("orders", 11, *(order(day, day, 10, currency="USD") for day in (0, 2, 3, 10, 11)))

    settle(shop.session)

    priced = "select order_id, total::double from silver.orders order by ordered_on"
    assert shop.rows(priced) == [("O0", 5.0), ("O2", 5.0), ("O3", 6.0), ("O10", 6.0)]
    assert shop.reasons("orders") == [(["currency_missing_rate"],)]


def test_a_rows_own_rate_and_currency_go_before(shop):
    shop.land("exchange_rates", 0, rate(0, "0.9"), rate(0, "0.1", currency="SEK"))
    shop.land("orders", 0, order(1, 0, 100, currency="USD", rate="0.95"), order(2, 0, 100, currency="USD"))
    shop.land(
        "payments",
        0,
        payment(1, 0, 100, currency="usd"),
        payment(2, 0, 90, currency="EUR"),
        payment(1, 0, 30, payment_id=3, currency="SEK"),
        payment(2, 0, 30, payment_id=4, currency="SEK", rate="0.2"),
        payment(2, 0, 10, payment_id=5, rate="0.3"),
    )
    settle(shop.session)

    paid = "select payment_id, amount::double, currency, foreign_amount::double from silver.payments order by all"
    assert shop.rows("select total::double from silver.orders order by all") == [(90.0,), (95.0,)]
    assert shop.rows(paid) == [
        ("1", 95.0, "USD", 100.0),
        ("2", 90.0, None, None),
        ("3", 3.0, "SEK", 30.0),
        ("4", 6.0, "SEK", 30.0),
        ("5", 3.0, "USD", 10.0),
    ]
    assert verify(shop.session) is None


def test_what_follows_an_order_changes_with_its_currency(shop):
    shop.land("exchange_rates", 0, rate(0, "0.9"))
    shop.land("payments", 2, payment(1, 2, 100))
    shop.land("returns", 3, refund(1, 3, 40), refund(2, 3, 10, order_id="", currency="SEK"))
    shop.land(
        "shipments",
        1,
        {**payment(1, 1, 0), "shipment_id": "S", "ordered_at": f"{on(0)}T10:00:00Z", "status": "open", "cost": 5},
    )
    paid = "select amount::double from silver.payments union all select amount::double from silver.returns order by all"

    for version, (currency, amounts) in enumerate(
        [("EUR", [40, 100]), ("USD", [36, 90]), ("", [40, 100]), ("USD", [36, 90])]
    ):
        updated = f"{on(0)}T10:00:{version:02}Z"
        shop.land("orders", version, order(1, 0, 100, currency=currency, updated_at=updated))
        settle(shop.session)
        assert [amount for (amount,) in shop.rows(paid)] == amounts
        assert shop.rows("select cost::int from silver.shipments") == [(5,)]

    assert shop.reasons("returns") == [(["currency_missing_rate"],)]
    assert verify(shop.session) is None


def test_a_refund_of_an_order_from_before_the_calendar_is_in_that_orders_currency(shop):
    shop.land("returns", 0, refund(1, 0, 40))
    shop.land("orders", 0, order(1, -5, 100, currency="USD"))
    settle(shop.session)
    assert shop.reasons("returns") == [(["currency_missing_rate"],)]

    shop.land("exchange_rates", 1, rate(-1, "0.5"))
    settle(shop.session)
    assert shop.rows("select amount::int from silver.returns") == [(20,)]
    assert verify(shop.session) is None


def test_what_cannot_be_converted_is_set_aside(shop):
    shop.land("exchange_rates", 0, rate(0, 90000), rate(0, "0.5", currency="SEK"), rate(0, 0, currency="DKK"))
    shop.land(
        "orders",
        0,
        order(1, 0, 900000, currency="USD"),
        order(2, 0, 10, rate="0.5"),
        order(3, 0, 10, rate="1.0", currency="EUR"),
        order(4, 0, 10, currency="dollars"),
        order(5, 0, 10, currency="DKK"),
        order(6, 0, 10, currency="SEK"),
    )
    settle(shop.session)

    assert shop.rows("select order_id, reason_codes[1] from quarantine.orders order by all") == [
        ("O1", "amounts_too_large"),
        ("O2", "rate_without_currency"),
        ("O4", "currency_str_matches"),
        ("O5", "currency_missing_rate"),
    ]
    assert shop.rows("select order_id, rate from silver.orders order by all") == [("O3", None), ("O6", Decimal("0.5"))]
    assert shop.reasons("exchange_rates") == [(["rate_greater_than"],)]


def test_a_line_that_is_too_much_once_converted_is_set_aside(shop):
    shop.land("exchange_rates", 0, rate(0, 90000))
    shop.land("orders", 0, order(1, 0, "", currency="USD", subtotal=""))
    shop.land("order_items", 0, line(1, 0, 90000), line(1, 0, 90000, line_number=2, quantity=2))
    settle(shop.session)

    assert shop.rows("select line_number from silver.order_items") == [(1,)]
    assert shop.reasons("order_items") == [(["price_is_an_amount"],)]


def test_without_a_currency_of_its_own_the_shop_needs_a_rate_for_each(tmp_path):
    with open_shop(tmp_path, currency=None) as shop:
        shop.land("orders", 0, order(1, 0, 100, currency="EUR"), order(2, 0, 50))
        settle(shop.session)
        assert shop.rows("select order_id from silver.orders") == [("O2",)]
        [[sentence]] = shop.rows("select reasons[1] from quarantine.orders")
        assert sentence.endswith("if EUR is the shop's own currency, set currency in settings.toml")

        settle(
            Session(*(getattr(shop.session, name) for name in ("con", "catalog", "zone", "calendar")), currency="EUR")
        )
        assert shop.rows("select order_id from silver.orders order by all") == [("O1",), ("O2",)]


def test_ad_spend_and_costs_are_converted_at_the_rate_of_their_own_day(shop):
    shop.land("exchange_rates", 1, rate(0, "0.9"), rate(1, "0.8"))
    campaign = {"campaign_id": "A", "name": "a", "channel": "paid social", "starts_on": on(0)}
    shop.land("campaigns", 0, {**campaign, "updated_at": f"{on(0)}T00:00:00Z", "daily_budget": 10, "currency": "USD"})
    spent = {"campaign_id": "A", "updated_at": f"{on(3)}T00:00:00Z", "impressions": 9, "clicks": 1, "spend": 10}
    shop.land("ad_spend", 3, *({**spent, "spend_on": on(day), "currency": "USD"} for day in (0, 1)))
    settle(shop.session)

    assert shop.rows("select spend::int from silver.ad_spend order by all") == [(8,), (9,)]
    assert shop.rows("select daily_budget::int from silver.campaigns") == [(9,)]
    assert verify(shop.session) is None


AMOUNT = st.decimals(Decimal("0.01"), 99999, places=2)
RATE = st.decimals(Decimal("0.0000200000"), 5000, places=10)
CURRENCIES = ["", "EUR", "USD", "SEK", "JPY"]


def known_rate(rates: dict[tuple[str, int], Decimal], currency: str, day: int) -> Decimal | None:
    """The latest of the day and the 7 days before, straight from the definition."""
    near = [rates[currency, on] for on in range(day, day - 8, -1) if (currency, on) in rates]
    return Decimal(1) if currency in ("", "EUR") else near[0] if near else None


@settings(max_examples=examples(8), deadline=None, phases=[Phase.explicit, Phase.generate])
@given(
    st.dictionaries(st.tuples(st.sampled_from(CURRENCIES[2:]), st.integers(-9, 12)), RATE, min_size=3, max_size=9),
    st.lists(st.tuples(st.integers(0, 12), AMOUNT, st.sampled_from(CURRENCIES)), min_size=5, max_size=20),
)
def test_amounts_are_those_sent_times_the_rate_and_what_is_refunded_in_full_nets_to_zero(rates, orders):
    with TemporaryDirectory() as folder, open_shop(Path(folder)) as shop:
        numbered = list(enumerate(orders))
        shop.land("exchange_rates", 12, *(rate(day, value, of) for (of, day), value in rates.items()))
        shop.land("orders", 12, *(order(n, day, total, currency=of) for n, (day, total, of) in numbered))
        shop.land("payments", 30, *(payment(n, day + 15, total) for n, (day, total, _) in numbered))
        shop.land("returns", 30, *(refund(n, day + 17, total) for n, (day, total, _) in numbered))
        settle(shop.session)

        due = {}
        for n, (day, total, currency) in numbered:
            if (found := known_rate(rates, currency, day)) is not None:
                due[f"O{n}"] = (total * found).quantize(Decimal("0.0001"), ROUND_HALF_UP)
        assert dict(shop.rows("select order_id, total from silver.orders")) == due
        assert dict(shop.rows("select order_id, amount from silver.payments")) == due
        assert dict(shop.rows("select order_id, amount from silver.returns")) == due


@settings(max_examples=examples(4), deadline=None, phases=[Phase.explicit, Phase.generate])
@given(st.lists(st.tuples(AMOUNT, st.integers(1, 30)), min_size=5, max_size=20), RATE.filter(lambda rate: rate < 99))
def test_a_rate_of_one_changes_nothing_and_rates_k_times_as_high_make_k_times_as_much(lines, value):
    with TemporaryDirectory() as folder, open_shop(Path(folder)) as shop:
        k = 7
        shop.land("exchange_rates", 0, rate(0, 1), rate(0, value, "SEK"), rate(0, k * value, "JPY"))
        for place, currency in enumerate(["", "USD", "SEK", "JPY"]):
            numbered = [(1000 * place + n, price, quantity) for n, (price, quantity) in enumerate(lines)]
            of = [order(n, 0, price * quantity, currency=currency) for n, price, quantity in numbered]
            shop.land("orders", 0, *of, file=f"{place}.csv")
            items = [line(n, 0, price, quantity=quantity) for n, price, quantity in numbered]
            shop.land("order_items", 0, *items, file=f"{place}.csv")
        settle(shop.session)

        query = """
            select coalesce(currency, 'EUR') as currency,
                   list(quantity * unit_price order by ltrim(order_id, 'O')::int)
            from silver.order_items group by all"""
        sold = dict(shop.rows(query))
        assert sold["USD"] == sold["EUR"]
        for (_, quantity), one, more in zip(lines, sold["SEK"], sold["JPY"], strict=True):
            assert abs(k * one - more) <= quantity * (k + 1) * Decimal("0.00005")


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("rate"), st.integers(0, 3), st.sampled_from(["USD", "SEK"]), st.integers(1, 3), st.booleans()
        ),
        st.tuples(
            st.just("order"), st.integers(0, 3), st.sampled_from(["", "USD", "SEK"]), st.integers(1, 2), st.booleans()
        ),
    ),
    min_size=2,
    max_size=6,
)


@settings(max_examples=examples(6), deadline=None, phases=[Phase.explicit, Phase.generate])
@given(STEPS)
def test_rates_and_orders_in_any_order_end_as_a_full_rebuild(steps):
    with TemporaryDirectory() as folder, open_shop(Path(folder)) as shop:
        shop.land("payments", 3, payment(1, 3, 10), payment(2, 1, 10))
        for place, (what, day, currency, number, flag) in enumerate(steps):
            if what == "rate":
                sent = rate(day, number, currency, is_deleted="yes" if flag and number == 1 else "")
                shop.land("exchange_rates", 3 + flag, sent, file=f"{place}.csv")
            else:
                at = f"{on(3)}T10:00:{place:02}Z"
                more = {"rate": 4} if flag and currency else {}
                sent = order(number, day, 10, currency=currency, **more, updated_at=at)
                shop.land("orders", 3 + flag, sent, file=f"{place}.csv")
                shop.land("order_items", 3, line(number, day, 10, updated_at=at), file=f"{place}.csv")
            settle(shop.session)

        assert verify(shop.session) is None


def test_a_shop_that_sells_in_other_currencies_reconciles_and_lists_the_same_orders(tmp_path):
    tables = upstream_of("kpi.daily_reconciliation", "kpi.settled_reconciliation", "kpi.incomplete_orders")
    listed = {}
    for share in (0.0, 0.4):
        zone, scale = Zone(tmp_path / str(share)), replace(SMALL, dirty_share=0.0, foreign_share=share)
        land_shop(zone, Synthetic(START, seed=11, preset=scale), window(6))
        session = session_over(zone, tables=tables, currency="EUR")
        results = run_all(session, window(6))
        rows = session.con.execute("""
            select 'unsettled', order_id from kpi.unsettled_orders
            union all select 'incomplete', order_id from kpi.incomplete_orders order by all""").fetchall()
        currencies = session.con.execute("select distinct currency from silver.orders order by all").fetchall()
        listed[share] = rows
        assert not [(name, day.note) for name, days in results.items() for day in days if not day.state.is_good]
        assert currencies == [(code,) for code in (("GBP", "SEK", "USD", None) if share else (None,))]
        session.con.close()

    assert listed[0.4] == listed[0.0] != []
