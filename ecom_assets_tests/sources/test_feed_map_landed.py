"""Statements of feed maps that join what has landed, and what joins do not find."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecom_assets.landing.zone import Zone
from ecom_assets.sources.feed_map import FeedMapError, LandReport, land, load_map, preview
from ecom_assets_tests.examples import examples
from ecom_assets_tests.sources.landing import land_text, rows

ORDERS = """\
[source]
files = "orders-*.csv"
arrival_day = { file_name = "orders-{day}.csv" }
group = "whole"

[feed.orders.columns]
order_id = "id"
store = "store"
ordered_at = "at"
updated_at = "changed"
is_deleted = "gone"
status = { constant = "paid" }
channel = "channel"
discount = { constant = "0" }
shipping = { constant = "0" }
tax = { constant = "0" }
"""
REFUNDS = '''\
[source]
files = "refunds-*.csv"
arrival_day = { file_name = "refunds-{day}.csv" }

[feed.returns]
sql = """
select
    r.id as return_id,
    ltrim(r.number, '#') as order_id,
    'A' as product_id,
    coalesce(o.ordered_at, '2024-03-01') as returned_at,
    '2024-03-09' as updated_at,
    coalesce(o.channel, 'unknown') as channel,
    1 as quantity,
    amount(r.amount) as amount,
    0 as shipping,
    0 as tax
from lines r
left join landed.orders o on o.order_id = ltrim(r.number, '#')
"""
'''
HEAD = "id,store,at,changed,gone,channel\n"
BOTH = REFUNDS.replace("[source]", "[sources.refunds]").replace("from lines", "from refunds") + ORDERS.replace(
    "[source]", "[sources.sales]"
).replace("[feed.orders.columns]", '[feed.orders]\nsource = "sales"\n\n[feed.orders.columns]')
IN_SQL = (
    BOTH.partition("[feed.orders]")[0]
    + '''
[feed.orders]
sql = """
select id as order_id, "at" as ordered_at, changed as updated_at, 'paid' as status, channel, 0 as discount,
    0 as shipping, 0 as tax
from sales
"""
'''
)
SHARED = IN_SQL.replace("[feed.orders]", "[feed.payments]").partition("[feed.payments]")[0] + (
    '''
[feed.payments]
sql = """
select id as payment_id, id as order_id, "at" as paid_at, "at" as updated_at, 'card' as method, 'captured' as status,
    1 as amount, 0 as fee
from sales
"""
'''
    + BOTH[BOTH.index("[feed.orders]") :]
)


@pytest.fixture
def zone(tmp_path: Path) -> Zone:
    return Zone(tmp_path / "landing")


def told(report: LandReport) -> list[str]:
    return [line.strip() for line in str(report).splitlines() if "find nothing" in line]


def test_a_join_sees_what_landed_before_and_says_what_it_does_not_find(tmp_path: Path, zone: Zone) -> None:
    orders = HEAD + "7,,2024-03-01 10:00,2024-03-01,,web\n8,,2024-03-02 10:00,2024-03-02,,app\n"
    land_text(tmp_path, zone, ORDERS, **{"orders-2024-03-02.csv": orders})
    later = HEAD + "8,,2024-03-02 10:00,2024-03-04,,shop\n9,,2024-03-04 10:00,2024-03-04,yes,app\n"
    land_text(tmp_path, zone, ORDERS, **{"orders-2024-03-04.csv": later})

    refunds = "id,number,amount\nR1,#7,1\nR2,#9,2\nR3,#8,3\nR4,#10,4\n"
    report = land_text(tmp_path, zone, REFUNDS, **{"refunds-2024-03-05.csv": refunds})

    assert rows(zone, "returns", "return_id", "returned_at", "channel") == [
        ("R1", "2024-03-01 10:00:00+00", "web"),
        ("R2", "2024-03-01 00:00:00+00", "unknown"),
        ("R3", "2024-03-02 10:00:00+00", "shop"),
        ("R4", "2024-03-01 00:00:00+00", "unknown"),
    ]
    assert told(report) == [
        "2 of 4 lines of returns find nothing in landed.orders; first '9', record 2 of refunds-2024-03-05.csv"
    ]


def test_each_step_is_told_with_the_share_of_those_before(tmp_path: Path, zone: Zone) -> None:
    (tmp_path / "map.toml").write_text(BOTH)
    (tmp_path / "orders-2024-03-02.csv").write_text(HEAD + "7,,2024-03-01 10:00,2024-03-01,,web\n")
    (tmp_path / "refunds-2024-03-05.csv").write_text("id,number,amount\nR1,#7,1\n")
    steps: list[tuple[str, float]] = []

    land(load_map(tmp_path / "map.toml"), tmp_path, zone, told=lambda step, share: steps.append((step, share)))

    assert [step for step, _ in steps] == ["reading sales", "reading refunds", "making returns", "writing refunds"]
    shares = [share for _, share in steps]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] < 1


@pytest.mark.parametrize("text", [BOTH, IN_SQL, SHARED], ids=["words", "sql", "shared"])
def test_a_join_sees_what_lands_together(tmp_path: Path, zone: Zone, text: str) -> None:
    first = HEAD + "7,,2024-03-01 10:00,2024-03-01,,web\n8,,2024-03-01 10:00,2024-03-01,,old\n"
    land_text(tmp_path, zone, text, **{"orders-2024-03-01.csv": first, "refunds-2024-03-01.csv": "id,number,amount\n"})
    corrected = HEAD + "7,,2024-03-01 10:00,2024-03-01,,app\n"
    refunds = "id,number,amount\nR1,#7,1\nR2,#8,1\n"
    files = {"orders-2024-03-01.csv": corrected, "refunds-2024-03-01.csv": refunds}
    report = land_text(tmp_path, zone, text, **files)

    assert rows(zone, "returns", "return_id", "channel") == [("R1", "app"), ("R2", "unknown")]
    assert told(report) == [
        "1 of 2 lines of returns find nothing in landed.orders; first '8', record 2 of refunds-2024-03-01.csv"
    ]
    before = sorted(path.read_bytes() for path in zone.root.glob("*/*/*.parquet"))
    land_text(tmp_path, zone, text, **files)
    assert sorted(path.read_bytes() for path in zone.root.glob("*/*/*.parquet")) == before


@pytest.mark.parametrize(
    ("join", "misses"),
    [
        ("from r left join o using (number)", ["2 of 3 lines of returns find nothing in o; first 'b', record 2"]),
        ("from r left join o on o.number = r.number where r.id <> 'R3'", ["1 of 2 lines of returns find nothing in o"]),
        ("from r left join (from o) p on lower(p.number) = r.number", ["2 of 3 lines of returns find nothing in p"]),
        (
            "from (select r.*, o.number as found from r left join o using (number)) r",
            ["2 of 3 lines of returns find nothing in o; first 'b', record 2"],
        ),
        (
            "from (select r.* from r left join o on o.number = r.number) r left join o p on p.number > r.number",
            ["2 of 3 lines of returns find nothing in o", "3 of 3 lines of returns find nothing in o; first record 1"],
        ),
        ("from r left join o on o.number = r.number where o.number is null", []),
        ("from r join o using (number)", []),
        (
            "from r left join o on o.number = nullif(r.number, 'b')",
            ["1 of 2 lines of returns find nothing in o; first 'c'"],
        ),
    ],
)
def test_what_joins_do_not_find_is_counted(tmp_path: Path, zone: Zone, join: str, misses: list[str]) -> None:
    text = f'''\
[source]
arrival_day = {{ file_name = "*-{{day}}.csv" }}

[sources.r]
files = "r-*.csv"

[sources.o]
files = "o-*.csv"

[feed.returns]
sql = """
with unused as (select 1 as one)
select r.id as return_id, 'x' as order_id, 'A' as product_id, '2024-03-01' as returned_at, '2024-03-01' as updated_at,
    'web' as channel, 1 as quantity, 1 as amount, 0 as shipping, 0 as tax
{join}
"""
'''
    files = {"r-2024-03-01.csv": "id,number\nR1,a\nR2,b\nR3,c\n", "o-2024-03-01.csv": "number\na\n"}
    report = land_text(tmp_path, zone, text, **files)

    assert [line.startswith(wanted) for line, wanted in zip(told(report), misses, strict=True)] == [True] * len(misses)


def test_lines_that_an_inner_join_drops_are_those_that_no_feed_reads(tmp_path: Path, zone: Zone) -> None:
    text = REFUNDS.replace("left join", "join")
    report = land_text(tmp_path, zone, text, **{"refunds-2024-03-05.csv": "id,number,amount\nR1,#7,1\n"})

    assert (report.lines, report.unused, report.rows) == (1, 1, {"returns": 0})


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("landed.orders", "landed.order", "unknown feed landed.order; did you mean 'orders'?"),
        ("o.channel", "o.chanel", "does not have a column named \"chanel\"; did you mean 'channel'?"),
        ("landed.orders o", "landed.returns o", "rows cannot be made of what they become: returns <- returns."),
        (
            "from lines r\nleft join landed.orders o",
            "from landed.orders o left join lines r",
            "landed.orders has no lines to make rows of; begin with a source.",
        ),
    ],
)
def test_a_mistake_is_told(tmp_path: Path, zone: Zone, old: str, new: str, complaint: str) -> None:
    files = {"refunds-2024-03-05.csv": "id,number,amount\nR1,#7,1\n"}
    with pytest.raises(FeedMapError) as caught:
        land_text(tmp_path, zone, REFUNDS.replace(old, new), **files)
    assert complaint in str(caught.value)


def test_a_landing_of_one_store_joins_what_landed_of_that_store(tmp_path: Path, zone: Zone) -> None:
    orders = f"{HEAD}17,de,2024-03-01,2024-03-01,,web\n17,fr,2024-03-02,2024-03-02,,app\n"
    land_text(tmp_path, zone, ORDERS, **{"orders-2024-03-02.csv": orders})
    (tmp_path / "refunds-2024-03-03.csv").write_text("id,number,amount\n1,#17,5\n")
    (tmp_path / "refunds.toml").write_text(REFUNDS)
    for store in ("de", "fr"):
        land(load_map(tmp_path / "refunds.toml").in_store(store), tmp_path, zone)

    assert sorted(rows(zone, "returns", "store", "channel")) == [("de", "web"), ("fr", "app")]


def test_a_check_joins_what_has_landed_and_lands_nothing(tmp_path: Path, zone: Zone) -> None:
    orders = HEAD + "7,,2024-03-01 10:00,2024-03-01,,web\n"
    land_text(tmp_path, zone, ORDERS, **{"orders-2024-03-02.csv": orders})
    (tmp_path / "refunds-2024-03-05.csv").write_text("id,number,amount\nR1,#7,1\n")
    (tmp_path / "map.toml").write_text(REFUNDS)

    report, feeds = preview(load_map(tmp_path / "map.toml"), tmp_path, zone)

    assert told(report) == []
    assert feeds["returns"]["channel"].to_list() == ["web"]
    assert zone.feeds() == ["orders"]


VERSIONS = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["", "fr"]), st.integers(1, 5), st.booleans(), st.integers(0, 3)),
    max_size=12,
)


@pytest.mark.slow
@settings(max_examples=examples(15), deadline=None)
@given(sent=VERSIONS)
def test_the_latest_version_of_each_key_is_joined_whatever_landed_when(
    sent: list[tuple[int, str, int, bool, int]],
) -> None:
    """Lines are (order, store, minute of change, deleted, file); channels number them."""
    lines = [(file, number, line) for number, line in enumerate(sent) for file in [line[4]]]
    latest: dict[str, tuple[tuple[int, int, int], int, bool]] = {}
    for file, number, (order, store, changed, gone, _) in sorted(lines):
        key = f"{store}:{order}" if store else str(order)
        version = (changed, file, number)
        if key not in latest or version > latest[key][0]:
            latest[key] = version, number, gone
    text = REFUNDS.replace(
        "on o.order_id = ltrim(r.number, '#')", "on coalesce(o.store || ':', '') || o.order_id = r.number"
    )
    with TemporaryDirectory() as folder:
        zone = Zone(Path(folder) / "landing")
        for file in range(4):
            content = HEAD + "".join(
                f"{order},{store},2024-03-01,2024-03-01 10:0{changed},{gone},{number}\n"
                for of, number, (order, store, changed, gone, _) in lines
                if of == file
            )
            land_text(Path(folder), zone, ORDERS, **{f"orders-2024-03-0{file + 1}.csv": content})
        asked = [f"{store}{order}" for order in range(1, 5) for store in ("", "fr:")]
        refunds = "id,number,amount\n" + "".join(f"R{key},{key},1\n" for key in asked)
        report = land_text(Path(folder), zone, text, **{"refunds-2024-03-05.csv": refunds})
        found = dict(rows(zone, "returns", "return_id", "channel"))

    expected = {f"R{key}": str(latest[key][1]) if key in latest and not latest[key][2] else "unknown" for key in asked}
    assert found == expected
    missed = list(expected.values()).count("unknown")
    assert told(report)[0].startswith(f"{missed} of 8 ") if missed else told(report) == []
