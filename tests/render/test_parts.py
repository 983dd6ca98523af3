"""Bars, histograms and paths in text."""

from saecli.render import parts


def test_a_bar_is_as_long_as_its_share_to_an_eighth():
    assert parts.bar(5, 10, 10).plain == "█████     "
    assert parts.bar(10, 10, 4).plain == "████"
    assert parts.bar(1, 16, 2).plain == "▏ "
    assert parts.bar(0, 10, 4).plain == "    "
    assert parts.bar(1e-9, 10, 4).plain[0] == "▏"
    assert parts.bar(99, 10, 4).plain == "████"
    assert parts.bar(1, 0, 4).plain == parts.bar(float("nan"), 1, 4).plain == "    "


def test_a_histogram_has_its_tallest_column_full_and_gaps_where_nothing_is():
    assert parts.histogram([2, 0, 8, 14]).plain == "▂ ▅█"
    assert parts.histogram([]).plain == ""
    assert len(parts.histogram([1.0] * 100, width=48).plain) <= 48


def test_long_paths_lose_whole_parts_from_the_left():
    assert parts.path("a/b.png").plain == "a/b.png"
    assert parts.path("/one/two/three/four.png", 18).plain == "…/three/four.png"
    assert parts.path("/one/" + "x" * 50, 20).plain == "…/" + "x" * 50


def test_sections_have_a_blank_line_between_them_and_none_is_left_out():
    group = parts.stack("a", None, "b")
    assert [str(one) for one in group.renderables] == ["a", "", "b"]


def test_skipped_pictures_are_counted_and_the_first_named():
    assert parts.skipped([]) is None
    assert parts.skipped(["a"]).plain == "1 picture skipped: a"
    assert parts.skipped(list("abcde")).plain == "5 pictures skipped: a, b, c and 2 more"
