"""Numbers as people read them."""

import pytest

from saecli.render.numbers import (
    count,
    duration,
    figure,
    interval,
    p_value,
    plural,
    ranges,
    rate,
    share,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.00"), (8.724, "8.72"), (9.996, "10.0"), (87.24, "87.2"), (312.4, "312"),
     (999.4, "999"), (999.6, "1.00k"), (12_345, "12.3k"), (999_700, "1.00M"), (2.4e9, "2.40G")],
)  # fmt: skip
def test_counts_have_three_figures(value, text):
    assert count(value) == text


def test_slow_rates_turn_into_seconds_each():
    assert (rate(312), rate(0.4), rate(0)) == ("312/s", "2.5 s each", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (59.4, "59 s"), (64, "1:04 min"), (7390, "2:03:10 h")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (float("nan"), "–"), (0.0, "0 %"), (1.0, "100 %"), (0.00004, "<0.01 %"),
     (0.0123, "1.23 %"), (0.09997, "10.0 %"), (0.4567, "45.7 %"), (0.9996, "100 %")],
)  # fmt: skip
def test_shares(value, text):
    assert share(value) == text


def test_figures_have_a_real_minus_and_no_negative_zero():
    assert figure(-3.516) == "−3.52"
    assert figure(-0.001) == "0.00"
    assert figure(None) == figure(float("nan")) == "–"
    assert interval([-3.91, -3.2]) == "[−3.91, −3.20]"
    assert interval(None) == "–"
    assert (p_value(0.01), p_value(0.0001), p_value(None)) == ("0.010", "<0.001", "–")


def test_runs_of_numbers_are_drawn_together():
    assert ranges([13, 3, 4, 10, 11, 12, 12]) == "3, 4, 10–13"
    assert ranges([]) == ""


def test_nouns_in_the_plural():
    assert plural(1, "latent") == "1 latent"
    assert plural(1536, "latent") == "1,536 latents"
    assert plural(2, "dictionary") == "2 dictionaries"
    assert plural(3, "class") == "3 classes"
    assert plural(5, "patch") == "5 patches"
