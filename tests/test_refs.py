"""Names on the command line mean what they say, and wrong ones are refused in one sentence."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saecli.errors import SaecliError, one_of
from saecli.refs import (
    Concept,
    check_dictionary_name,
    parse_concept,
    parse_count,
    parse_latent,
    parse_patches,
    parse_record,
    parse_size,
)

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,12}", fullmatch=True)


@given(names, st.sets(st.integers(0, 10**6), min_size=1, max_size=20))
def test_a_concept_reads_back_from_its_own_text(name, latents):
    concept = Concept(name, tuple(sorted(latents)))
    assert parse_concept(str(concept)) == concept


def test_a_set_is_sorted_and_holds_each_latent_once():
    assert parse_concept("clip:40+12+40").latents == (12, 40)


@pytest.mark.parametrize("text", ["clip", "clip:", ":3", "clip:-1", "clip:1+", "clip:1,2", "a b:1"])
def test_other_forms_are_no_reference(text):
    with pytest.raises(SaecliError, match="no latent reference") as caught:
        parse_concept(text)
    assert caught.value.usage


def test_one_latent_is_not_a_set():
    assert parse_latent("clip:12").latents == (12,)
    with pytest.raises(SaecliError, match="names 2 latents"):
        parse_latent("clip:12+40")


@given(st.sets(st.integers(0, 5000), min_size=1))
def test_patches_read_back_from_a_plain_list(patches):
    assert parse_patches(",".join(map(str, patches))) == tuple(sorted(patches))


def test_ranges_include_both_ends_and_overlap_freely():
    assert parse_patches("3, 10-13,12") == (3, 10, 11, 12, 13)


@pytest.mark.parametrize("text", ["", "3,,4", "x", "13-10", "-3", "1-2-3", "3;4"])
def test_a_wrong_patch_list_is_refused(text):
    with pytest.raises(SaecliError, match="no patch or range"):
        parse_patches(text)


def test_a_range_that_would_fill_the_memory_is_refused():
    with pytest.raises(SaecliError, match="beyond any grid"):
        parse_patches("0-99999999999")


@pytest.mark.parametrize(
    ("text", "count"), [("4096", 4096), ("64k", 64_000), ("100M", 10**8), ("1.5k", 1500)]
)
def test_counts_take_decimal_suffixes(text, count):
    assert parse_count(text) == count


@pytest.mark.parametrize("text", ["0", "-3", "1.5", "many", "3kk", ""])
def test_a_wrong_count_is_refused(text):
    with pytest.raises(SaecliError, match="no count"):
        parse_count(text)


@pytest.mark.parametrize("name", ["", "-x", "a:b", "a b", "a/b", "é"])
def test_a_name_that_could_not_be_referred_to_is_refused(name):
    with pytest.raises(SaecliError, match="can't name a dictionary"):
        check_dictionary_name(name)


def test_an_error_is_a_problem_and_a_remedy_in_one_sentence():
    assert str(SaecliError("the cup is empty", "fill it")) == "the cup is empty; fill it"


def test_offers_start_with_the_nearest_name_and_say_how_many_more_there_are():
    assert one_of(["clip", "dinov2"], "dino") == "dinov2 and clip"
    assert one_of([], "x") == "none"
    assert one_of(map(str, range(9)), "", most=2) == "0, 1 and 7 more"


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("500MB", 500_000_000), ("1.5 g", 1_500_000_000), ("7b", 7)]
)
def test_sizes_take_decimal_suffixes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "GB", "1XB", "1 2"])
def test_a_wrong_size_is_refused(text):
    with pytest.raises(SaecliError, match="no size"):
        parse_size(text)


def test_records_are_named_by_their_number():
    assert parse_record("experiment:12", "experiment") == 12
    assert parse_record(" 12", "experiment") == 12


@pytest.mark.parametrize("text", ["", "experiment:", "hypothesis:3", "experiment:0", "-1", "¹"])
def test_a_wrong_record_is_refused(text):
    with pytest.raises(SaecliError, match=r"names no experiment; write it as experiment:12"):
        parse_record(text, "experiment")


def test_no_dictionary_is_called_like_a_record():
    with pytest.raises(SaecliError, match="can't name a dictionary"):
        check_dictionary_name("experiment")


def test_a_latent_is_no_dictionary():
    with pytest.raises(SaecliError, match=r"'clip:3' names a latent.*leave its number: clip"):
        check_dictionary_name("clip:3")
