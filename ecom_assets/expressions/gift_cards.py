"""Gift cards by their names: sold they are a liability, redeemed they are a payment."""

import narwhals as nw

GIFT_CARD = "gift_card"
"""The kind of a product that is one."""
_CARD = r"(e|digital)?[\s_-]*gift[\s_-]*(card|voucher|certificate)s?"
_NAME = rf"(?i)^\s*{_CARD}[^\p{{L}}]*$"
_METHOD = rf"(?i)^\s*({_CARD}|store[\s_-]*credits?)\s*$"


def is_called_gift_card(name: str) -> nw.Expr:
    """Returns whether a column of names or categories says gift card, voucher or certificate, and nothing else.

    Case, spaces, underscores, hyphens, an s at the end and an amount after it do not count. False for null.
    """
    return nw.col(name).str.contains(_NAME).fill_null(value=False)


def is_gift_card_method(method: str) -> nw.Expr:
    """Returns whether a column of means of payment says gift card, voucher or certificate, or store credit."""
    return nw.col(method).str.contains(_METHOD).fill_null(value=False)
