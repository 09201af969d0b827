"""A small shop's stock: what lies on which shelf, what is reserved, what an order costs."""

from __future__ import annotations

from dataclasses import dataclass, field

REORDER_BELOW = 3
FREE_SHIPPING_FROM = 50_00
SHIPPING = 4_90
MAX_LINES = 20


class OutOfStock(Exception):
    """Less is there than was asked for."""


@dataclass
class Item:
    """One kind of thing. Prices are in cents."""

    name: str
    price: int
    count: int = 0
    reserved: int = 0

    def free(self) -> int:
        """What nobody has reserved."""
        return self.count - self.reserved

    def is_low(self) -> bool:
        """Whether more should be bought."""
        return self.free() < REORDER_BELOW


@dataclass
class Shelf:
    """Items by name."""

    items: dict[str, Item] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)

    def add(self, name: str, price: int, count: int = 1) -> Item:
        """Put items on the shelf; a price that changes counts for all of them."""
        if price <= 0:
            raise ValueError("a price is positive")
        if count < 0:
            raise ValueError("a count is not negative")
        item = self.items.get(name)
        if item is None:
            item = Item(name, price)
            self.items[name] = item
            self.log.append(f"new {name}")
        item.price = price
        item.count += count
        return item

    def reserve(self, name: str, count: int) -> None:
        """Keep items for somebody."""
        item = self._item(name)
        if item.free() < count:
            raise OutOfStock(f"{name}: {item.free()} of {count}")
        item.reserved += count

    def release(self, name: str, count: int) -> int:
        """Give up a reservation; how many were given up."""
        item = self._item(name)
        given = min(count, item.reserved)
        item.reserved -= given
        return given

    def sell(self, name: str, count: int, *, reserved: bool = False) -> int:
        """Take items away; what they cost."""
        item = self._item(name)
        there = item.reserved if reserved else item.free()
        if there < count:
            raise OutOfStock(f"{name}: {there} of {count}")
        item.count -= count
        if reserved:
            item.reserved -= count
        if item.is_low():
            self.log.append(f"low {name}")
        return price_of(item.price, count)

    def value(self) -> int:
        """Of everything on the shelf."""
        return sum(item.price * item.count for item in self.items.values())

    def low(self) -> list[str]:
        """Names of what should be bought, in order."""
        return sorted(name for name, item in self.items.items() if item.is_low())

    def find(self, text: str) -> list[str]:
        """Names that hold a text, those that begin with it first."""
        wanted = text.strip().lower()
        if not wanted:
            return []
        found = [name for name in self.items if wanted in name.lower()]
        return sorted(found, key=lambda name: (not name.lower().startswith(wanted), name))

    def _item(self, name: str) -> Item:
        if name not in self.items:
            raise KeyError(name)
        return self.items[name]


def discount(count: int) -> int:
    """Per cent off for many of one kind."""
    if count >= 100:
        return 15
    if count >= 20:
        return 10
    if count >= 5:
        return 3
    return 0


def price_of(price: int, count: int) -> int:
    """Of several of one kind, rounded to whole cents in favour of the buyer."""
    full = price * count
    return full - -(-full * discount(count) // 100)


def order(shelf: Shelf, lines: dict[str, int]) -> int:
    """Sell everything or nothing; what it costs with shipping."""
    if not lines or len(lines) > MAX_LINES:
        raise ValueError("an order has 1 to 20 lines")
    done: list[str] = []
    try:
        for name, count in lines.items():
            shelf.reserve(name, count)
            done.append(name)
    except (KeyError, OutOfStock):
        for name in done:
            shelf.release(name, lines[name])
        raise
    total = sum(shelf.sell(name, count, reserved=True) for name, count in lines.items())
    return total if total >= FREE_SHIPPING_FROM else total + SHIPPING


def parse_lines(text: str) -> dict[str, int]:
    """`2 x pen, 1 x ink` as counts by name; the same name twice adds up."""
    found: dict[str, int] = {}
    for part in text.split(","):
        count, times, name = part.strip().partition(" x ")
        if not times or not name.strip():
            raise ValueError(f"not a line: {part.strip()!r}")
        found[name.strip()] = found.get(name.strip(), 0) + int(count)
    return found


def euros(cents: int) -> str:
    """For people: `1,234.50`."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    return f"{sign}{whole:,}.{rest:02d}"
