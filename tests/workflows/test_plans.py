"""A plan comes back from its JSON as it went in, whatever it asks for."""

import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saecli.errors import SaecliError
from saecli.experiments.controls import ControlSettings
from saecli.experiments.verdicts import Rule
from saecli.refs import Concept
from saecli.workflows.plans import Plan

words = st.text(min_size=1, max_size=12).filter(str.strip)
shares = st.floats(0.001, 0.9)
values = st.sampled_from(["ablate", "scale:0.5", "set:-2"])
plans = st.builds(
    Plan,
    concept=st.builds(
        lambda latents: Concept("clip", tuple(sorted(latents))),
        st.sets(st.integers(0, 99), min_size=1),
    ),
    images=words,
    probe=words,
    class_name=words,
    expect=st.none() | words,
    value=values,
    scope=st.sampled_from(["active", "all", "3,4"]),
    doses=st.lists(values, max_size=3).map(tuple),
    controls=st.builds(ControlSettings, n=st.integers(1, 999), sibling=shares),
    rule=st.builds(
        Rule,
        alpha=shares,
        family=st.integers(1, 50),
        smallest_share=shares,
        most_without=shares,
        least_images=st.integers(2, 99),
    ),
    seed=st.integers(0, 2**63 - 1),
    masks=st.none() | st.just(Path("/masks")),
    twins=st.none() | st.just(Path("/twins")),
    groups=st.none() | st.just(Path("/groups.csv")),
    n_images=st.none() | st.integers(1, 99),
    profile=st.none() | words,
)


@pytest.mark.parametrize(
    ("value", "edit"),
    [
        ("ablate", "suppressing clip:3+9"),
        ("set:5", "setting clip:3+9 to 5 times their largest activation"),
        ("set:-2.0", "setting clip:3+9 to -2 times their largest activation"),
        ("scale:2", "setting clip:3+9 to 2 times their activation"),
        ("scale:0", "suppressing clip:3+9"),
    ],
)
def test_the_statement_says_the_edit_that_is_made(value, edit):
    plan = Plan(Concept("clip", (3, 9)), "set", "probe", "jay", "wren", value=value)
    assert plan.statement == f"{edit} lowers the prediction of jay in favour of wren"


@given(plans)
def test_a_plan_comes_back_whole(plan):
    told = json.loads(json.dumps(plan.as_json() | {"digests": {"pictures": "0" * 64}}))
    assert Plan.from_json(told) == plan


def test_every_option_of_the_rule_is_stored():
    told = Plan(Concept("clip", (3,)), "set", "probe", "a").as_json()
    assert set(told["rule"]) == {one.name for one in fields(Rule)}
    assert set(told["controls"]) == {one.name for one in fields(ControlSettings)}
    assert set(told) == {one.name for one in fields(Plan)}


@pytest.mark.parametrize(
    "change",
    [{"rule": {"alpha": 0.05, "newer": 1}}, {"newer": 1}, {"concept": "clip:3"}, {"controls": 99}],
)
def test_a_plan_in_another_form_is_no_guess(change):
    told = Plan(Concept("clip", (3,)), "set", "probe", "a").as_json() | change
    with pytest.raises(SaecliError, match="stored by another version"):
        Plan.from_json(told)


def test_a_resolved_plan_holds_from_any_folder(tmp_path, monkeypatch):
    (tmp_path / "set").mkdir()
    monkeypatch.chdir(tmp_path)
    plan = Plan(
        Concept("clip", (3,)),
        "set",
        "probe",
        "a",
        value="set:-2.0",
        doses=("set:+1",),
        twins=Path("twins"),
    ).resolved("photos")
    assert (plan.images, plan.twins) == (str(tmp_path / "set"), tmp_path / "twins")
    assert (plan.value, plan.doses, plan.profile) == ("set:-2", ("set:1",), "photos")
    monkeypatch.chdir("/")
    assert plan.resolved("photos") == plan
    built_in = Plan(Concept("clip", (3,)), "fieldguide:test", "probe", "a")
    assert built_in.resolved("photos").images == "fieldguide:test"
