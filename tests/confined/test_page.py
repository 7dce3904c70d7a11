"""The page on security shows the attacks as they are tried."""

from tests.attacks_page import PAGE, page


def test_the_page_on_security_is_what_is_tried() -> None:
    written = PAGE.read_text("utf-8")

    # `python -m tests.attacks_page` writes it.
    assert written == page(written)
