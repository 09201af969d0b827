"""Tests of the small shop: quick, and good enough that most mutants die."""

from __future__ import annotations

import pytest
from shelf import Item, OutOfStock, Shelf, discount, euros, order, parse_lines, price_of  # type: ignore[import-not-found]


@pytest.fixture
def shelf() -> Shelf:
    made = Shelf()
    made.add("pen", 150, 10)
    made.add("ink", 700, 4)
    made.add("pencil", 60, 200)
    return made


@pytest.mark.parametrize(
    ("count", "percent"), [(0, 0), (4, 0), (5, 3), (19, 3), (20, 10), (99, 10), (100, 15), (500, 15)]
)
def test_discount(count: int, percent: int) -> None:
    assert discount(count) == percent


@pytest.mark.parametrize(("price", "count", "cost"), [(100, 1, 100), (100, 5, 485), (33, 5, 160), (10, 100, 850)])
def test_price(price: int, count: int, cost: int) -> None:
    assert price_of(price, count) == cost


@pytest.mark.parametrize(
    ("cents", "text"), [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123450, "1,234.50"), (100, "1.00")]
)
def test_euros(cents: int, text: str) -> None:
    assert euros(cents) == text


@pytest.mark.parametrize(
    ("text", "lines"),
    [("2 x pen", {"pen": 2}), ("2 x pen, 1 x ink", {"pen": 2, "ink": 1}), ("1 x pen,3 x pen", {"pen": 4})],
)
def test_lines(text: str, lines: dict[str, int]) -> None:
    assert parse_lines(text) == lines


@pytest.mark.parametrize("text", ["", "pen", "2 x ", "x x pen"])
def test_bad_lines(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a line|invalid literal"):
        parse_lines(text)


def test_free_is_what_is_not_reserved() -> None:
    assert Item("pen", 1, 5, 2).free() == 3


@pytest.mark.parametrize(("count", "low"), [(2, True), (3, False), (4, False)])
def test_low(count: int, low: bool) -> None:
    assert Item("pen", 1, count).is_low() is low


def test_adding_counts_up_and_takes_the_new_price(shelf: Shelf) -> None:
    item = shelf.add("pen", 200, 5)
    assert (item.count, item.price, shelf.log) == (15, 200, ["new pen", "new ink", "new pencil"])


def test_one_is_added_unless_told() -> None:
    assert Shelf().add("pen", 1).count == 1


@pytest.mark.parametrize(("price", "count"), [(0, 1), (-1, 1), (1, -1)])
def test_nonsense_is_not_added(price: int, count: int) -> None:
    with pytest.raises(ValueError, match=r"positive|negative"):
        Shelf().add("pen", price, count)


def test_reserving(shelf: Shelf) -> None:
    shelf.reserve("ink", 3)
    assert shelf.items["ink"].free() == 1
    with pytest.raises(OutOfStock, match="ink: 1 of 2"):
        shelf.reserve("ink", 2)


def test_everything_can_be_reserved(shelf: Shelf) -> None:
    shelf.reserve("ink", 4)
    assert shelf.items["ink"].free() == 0


def test_no_more_is_released_than_was_reserved(shelf: Shelf) -> None:
    shelf.reserve("ink", 3)
    assert (shelf.release("ink", 2), shelf.release("ink", 2)) == (2, 1)
    assert shelf.items["ink"].reserved == 0


def test_selling(shelf: Shelf) -> None:
    assert shelf.sell("pen", 2) == 300
    assert shelf.items["pen"].count == 8
    assert "low pen" not in shelf.log


def test_selling_what_is_reserved_for_others(shelf: Shelf) -> None:
    shelf.reserve("ink", 3)
    with pytest.raises(OutOfStock, match="ink: 1 of 2"):
        shelf.sell("ink", 2)


def test_selling_what_was_reserved(shelf: Shelf) -> None:
    shelf.reserve("ink", 2)
    assert shelf.sell("ink", 2, reserved=True) == 1400
    assert (shelf.items["ink"].reserved, shelf.log[-1]) == (0, "low ink")


def test_value(shelf: Shelf) -> None:
    assert shelf.value() == 150 * 10 + 700 * 4 + 60 * 200


def test_what_is_low_is_named_in_order(shelf: Shelf) -> None:
    shelf.sell("pen", 8)
    shelf.sell("ink", 2)
    assert shelf.low() == ["ink", "pen"]


@pytest.mark.parametrize(
    ("text", "names"), [("pen", ["pen", "pencil"]), (" IN", ["ink"]), ("", []), ("n", ["ink", "pen", "pencil"])]
)
def test_finding(shelf: Shelf, text: str, names: list[str]) -> None:
    assert shelf.find(text) == names


def test_an_order_with_shipping(shelf: Shelf) -> None:
    assert order(shelf, {"pen": 2, "ink": 1}) == 300 + 700 + 490


def test_a_large_order_without_shipping(shelf: Shelf) -> None:
    assert order(shelf, {"pencil": 100}) == 5100


def test_an_order_that_cannot_be_filled_leaves_all_as_it_was(shelf: Shelf) -> None:
    with pytest.raises(OutOfStock):
        order(shelf, {"pen": 2, "ink": 5})
    with pytest.raises(KeyError):
        order(shelf, {"pen": 2, "glue": 1})
    assert shelf.items["pen"].free() == 10


@pytest.mark.parametrize("count", [0, 21])
def test_orders_have_a_size(shelf: Shelf, count: int) -> None:
    with pytest.raises(ValueError, match="1 to 20"):
        order(shelf, {f"thing {n}": 1 for n in range(count)})
