"""The synthetic shop: pure and seeded, any day addressable by itself.

Here belongs what the shop's rows hold. How they are landed as files does not.
"""

from ecom_assets.scale import PRESETS, Scale
from ecom_assets.shop.shop import Shop

__all__ = ["PRESETS", "Scale", "Shop"]
