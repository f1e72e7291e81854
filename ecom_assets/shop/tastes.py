"""What customers like: each has a category of which they buy more than others do.

A line is of the customer's favourite category with a fixed probability, and otherwise of any; within these, products
are drawn by how well they sell. So customers differ in what they buy, as in the Dirichlet model of buying (Goodhardt,
Ehrenberg and Chatfield 1984, The Dirichlet: A Comprehensive Model of Buying Behaviour, Journal of the Royal Statistical
Society A 147), though each has one favourite here. Favourites are as frequent as the categories' shares of what is sold
at the start, so that tastes change how much of a product is sold but little.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ecom_assets.shop.draws import Floats, Ints, choose, generator, uniforms
from ecom_assets.shop.products import CATEGORIES, Products

FAVOURITE_SHARE = 0.5
"""Share of the lines that are of the customer's favourite category, whatever the others are."""


@dataclass(frozen=True)
class Tastes:
    """The favourite category of each customer, and what they choose."""

    products: Products

    @cached_property
    def _shares(self) -> list[float]:
        first = np.arange(self.products.timetable.products[0])
        sold = np.bincount(self.products.category(first), self.products.weights(first), minlength=len(CATEGORIES))
        return [float(share) for share in sold / sold.sum()]

    def favourite(self, customer: Ints) -> Ints:
        """Returns the category that each customer likes best."""
        return choose(uniforms(self.products.seed, "favourite", customer), self._shares)

    def chosen(self, day: int, product: Ints, customer: Ints) -> Ints:
        """Returns what customers choose on a day, in place of any products, one for each line."""
        rng = generator(self.products.seed, "tastes", day)
        is_favourite = rng.random(len(product)) < FAVOURITE_SHARE
        liked = self.products.pick_of(rng, day, self.favourite(customer))
        return np.where(is_favourite & (liked >= 0), liked, product)

    def shares(self, day: int, of_favourites: Floats) -> Floats:
        """Returns each known product's share of what is bought on a day, by customers with these shares of favourites.

        Args:
            day: Counted from the start.
            of_favourites: Share of the lines whose customers like each category best, sum 1.
        """
        sold = self.products.selling(day)
        category = self.products.category(np.arange(len(sold)))
        by_category = np.bincount(category, sold, minlength=len(CATEGORIES))
        within = sold / by_category[category]
        of_any = sold / sold.sum() * (1 - FAVOURITE_SHARE * of_favourites[by_category > 0].sum())
        shares: Floats = of_any + FAVOURITE_SHARE * of_favourites[category] * within
        return shares
