"""What holds of the image, the compose file, versions and backups; docker/try runs the image's steps."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ecom_assets.publishing.snapshot import publish
from ecom_assets.serving.snapshot import open_snapshot
from ecom_assets.settings import PROJECT, Settings
from ecom_assets.warehouse.proof import contents, settle
from ecom_assets_tests.tiny_shop import TinyShop, open_shop, order

COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if service["image"].startswith("ecom_assets:")}
PAGE = (PROJECT / "docs" / "deployment.md").read_text()


def locked(name: str) -> dict[str, str]:
    """The version of each package of a lock file."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)", (PROJECT / name).read_text(), re.MULTILINE))


@pytest.mark.parametrize("service", COMPOSE["services"])
def test_a_service_says_whether_it_works_and_waits_for_those_that_do(service: str) -> None:
    told = COMPOSE["services"][service]

    assert told["healthcheck"]["test"]
    assert all(needed["condition"] == "service_healthy" for needed in told.get("depends_on", {}).values())
    assert all(port.startswith("127.0.0.1:") for port in told.get("ports", []))
    assert not [volume for volume in told["volumes"] if "docker.sock" in volume]
    secret = re.compile("PASSWORD|TOKEN|KEY")
    assert all(name.endswith("_FILE") for name in told.get("environment", {}) if secret.search(name))
    assert ":" in told["image"]
    assert not told["image"].endswith(":latest")


@pytest.mark.parametrize("service", OURS)
def test_a_service_of_ours_has_no_rights_and_one_volume(service: str) -> None:
    told = OURS[service]

    assert (told["read_only"], told["user"], told["cap_drop"]) == (True, "10001:10001", ["ALL"])
    assert told["security_opt"] == ["no-new-privileges:true"]
    assert told["volumes"] == ["data:/data"]


def test_the_image_starts_and_examines_the_same_processes() -> None:
    started, examined = (
        set(re.findall(r"^(\w+)\)", (PROJECT / "docker" / name).read_text(), re.MULTILINE))
        for name in ("start", "health")
    )
    roles = {service["environment"]["ECOM_ROLE"]: service["command"][0] for service in OURS.values()}

    assert started == examined == set(roles)
    assert all(role == command for role, command in roles.items())


def test_every_profile_has_services_and_each_secret_is_a_file() -> None:
    assert {profile for service in COMPOSE["services"].values() for profile in service["profiles"]} == {
        *("core", "serving", "stream")
    }
    assert all(list(secret) == ["file"] for secret in COMPOSE["secrets"].values())


@pytest.mark.parametrize("name", ["requirements-core.lock", "requirements-image.lock"])
def test_the_image_has_the_versions_that_are_tested(name: str) -> None:
    tested, found = locked("requirements.lock"), locked(name)

    assert {"dagster", "duckdb", "dagster-postgres", "flit-core"} <= found.keys()
    assert {package: version for package, version in found.items() if tested.get(package, version) != version} == {}
    assert not {"pytest", "streamlit" if "core" in name else "mypy"} & found.keys()


def test_one_version_is_in_all_files_that_a_tag_is_compared_with() -> None:
    [version] = re.findall(r'^version = "(.+)"$', (PROJECT / "pyproject.toml").read_text(), re.MULTILINE)

    assert yaml.safe_load((PROJECT / "CITATION.cff").read_text())["version"] == version
    assert f"\n## [{version}]" in (PROJECT / "CHANGELOG.md").read_text()


def backed_up(data: Path, backup: Path) -> None:
    """Makes a backup by the command of the page."""
    [command] = re.findall(r"^(flock .+)$", PAGE, re.MULTILINE)
    environment = {"ECOM_DATA": str(data), "PATH": "/usr/bin:/bin"}
    subprocess.run(["sh", "-ec", command], cwd=backup, env=environment, check=True)


def restored(data: Path, backup: Path) -> None:
    [command] = re.findall(r"^(mkdir .+)$", PAGE, re.MULTILINE)
    environment = {"ECOM_DATA": str(data), "PATH": "/usr/bin:/bin"}
    subprocess.run(["sh", "-ec", command], cwd=backup, env=environment, check=True)


def sales(snapshot: Path) -> list[Any]:
    with open_snapshot(snapshot) as con:
        return con.execute("from gold.sales order by all").fetchall()


def land(shop: TinyShop) -> None:
    for day in range(3):
        shop.land_customers(day)
        shop.land_orders(day, order(day, day, amount=10 + day))


def test_a_backup_restored_is_not_stale_and_without_the_warehouse_gives_the_same_tables(tmp_path: Path) -> None:
    known, again = Settings(tmp_path / "data"), Settings(tmp_path / "again")
    known.data.mkdir()
    with open_shop(known.data, warehouse=known.warehouse) as shop:
        land(shop)
        settle(shop.session)
        publish(shop.session, known.snapshot)
        before = contents(shop.session)
    backed_up(known.data, tmp_path)
    restored(again.data, tmp_path)

    assert sales(again.snapshot) == sales(known.snapshot) != []
    with open_shop(again.data, warehouse=again.warehouse) as shop:
        assert shop.stale() == []
        assert contents(shop.session) == before
    again.warehouse.unlink()
    with open_shop(again.data, warehouse=again.warehouse) as shop:
        settle(shop.session)
        assert contents(shop.session) == before


def test_the_address_of_dagsters_database_takes_any_password_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("p@ss/w:rd% \n")
    environment = {
        "PATH": "/usr/bin:/bin",
        "ECOM_DAGSTER_PASSWORD_FILE": str(tmp_path / "secret"),
        "ECOM_DAGSTER_USER": "dagster",
        "ECOM_DAGSTER_HOST": "postgres/dagster",
    }
    script = f'. "{PROJECT / "docker" / "environment"}"; printf %s "$ECOM_DAGSTER_POSTGRES"'
    told = subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=True).stdout

    assert told == "postgresql+psycopg2://dagster:p%40ss%2Fw%3Ard%25@postgres/dagster"
