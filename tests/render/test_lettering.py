"""Text on pictures keeps to its room, whatever it is."""

import pytest

from saecli.render.lettering import font_for, shorten


@pytest.mark.parametrize("width", [30, 80, 200, 10_000])
@pytest.mark.parametrize("text", ["blue wing", "a longer label of many words", "синее крыло", "x"])
def test_shortened_text_fits_and_keeps_as_much_as_it_can(text, width):
    line = shorten(text, width, 13)
    length = font_for(line, 13).getlength
    assert length(line) <= width
    if line != text:
        kept = line.removesuffix("…")
        assert text.startswith(kept)
        more = text[: len(kept) + 2].rstrip() + "…"
        assert font_for(text, 13).getlength(more) > width - 13


def test_short_text_is_left_alone_and_lines_are_joined():
    assert shorten("blue\n  wing", 500, 13) == "blue wing"
    assert shorten("", 10, 13) == ""


def test_signs_that_the_built_in_font_lacks_become_plain_ones():
    assert shorten("14×14 − 3–4", 500, 13) == "14x14 - 3-4"


def test_no_room_gives_no_more_than_the_ellipsis():
    assert shorten("blue wing", 1, 13) == "…"
