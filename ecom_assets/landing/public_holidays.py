"""Public holidays of countries and their subdivisions, by the package `holidays`."""

import datetime as dt
from collections.abc import Container
from functools import lru_cache


@lru_cache
def public_holidays(place: str) -> Container[dt.date]:
    """Returns the public holidays of a place such as DE, or DE-BY with a subdivision (ISO 3166).

    Raises ValueError for an unknown place.
    """
    import holidays  # most landing zones name no place, and the import takes most of a second

    country, _, subdivision = place.partition("-")
    try:
        days: Container[dt.date] = holidays.country_holidays(country, subdiv=subdivision or None)
    except NotImplementedError as error:
        known = holidays.list_supported_countries().get(country)
        has = f"{country} has {', '.join(known) or 'no subdivisions'}" if known is not None else "no such country"
        raise ValueError(
            f"holidays is {place!r}: {has}; write an ISO 3166 code such as DE, or with its subdivision DE-BY."
        ) from error
    return days
