"""The benchmark's own arithmetic: what counts as failing, and that a second run goes on."""

import json

import pytest
from scipy.stats import binom

from tests.benchmarks import calibration, summary
from tests.benchmarks.calibration import Laboratory, Settings, run_part
from tests.benchmarks.nulls import _unrelated


def null(p, verdict="refuted", side="clip", kind="a"):
    kinds = {"other_latents": p, "random_directions": p / 2}
    return {
        "side": side, "kind": kind, "verdict": verdict, "p": p, "p_values": kinds, "shared": [],
    }  # fmt: skip


def test_nulls_pass_up_to_the_99_percent_limit():
    assert binom.ppf(0.99, 400, 0.05) == 31
    p = [(i + 1) / 20 for i in range(20)] * 20  # as uniform as ranks among 19 can be
    records = [null(value, "supported" if i < 31 else "refuted") for i, value in enumerate(p)]
    told = summary.nulls([*records, {"side": "clip", "kind": "a", "refused": "…"}])["all"]
    assert (told["n"], told["refused"], told["supported"]) == (400, 1, 31)
    assert [told[f"p<={a:g}"]["n"] for a in summary.ALPHAS] == [20, 40, 100]
    assert told["passes"]
    assert not summary.nulls([*records[31:], *[null(0.5, "supported")] * 32])["all"]["passes"]
    assert not summary.nulls([null(0.05)] * 35 + records[35:])["all"]["passes"]


def test_a_pair_stands_for_the_value_that_stood_out_more():
    def tested(a, b, clarity, verdict, eligible=True):
        return {
            "side": "clip", "class": a, "expect": b, "clarity": clarity, "verdict": verdict,
            "eligible": eligible, "told_apart": 0.9, "swapped": 0.6,
        }  # fmt: skip

    told = summary.power(
        [
            tested("jay", "nutcracker", 7.0, "supported"),
            tested("nutcracker", "jay", 0.3, "inconclusive"),
            tested("finch", "sparrow", 2.0, "refuted"),
            tested("sparrow", "finch", 1.0, "supported"),
            tested("a", "b", 0, "", eligible=False),
        ]
    )
    assert (told["pairs"]["supported"], told["pairs"]["n"]) == (1, 2)
    assert (told["values"]["supported"], told["values"]["n"]) == (2, 4)
    assert [one["of_pair"] for one in told["failed"]] == [False, True]
    assert [one["pair"] for one in told["left_out"]] == ["clip: a / b"]


def test_unrelated_is_another_part_in_another_colour():
    assert _unrelated("blue jay", "tropical kingbird")
    assert not _unrelated("blue jay", "scarlet tanager")  # both differ in the wing
    assert not _unrelated("scarlet tanager", "purple finch")  # its twin has the red
    assert not _unrelated("blue jay", "Wilson's warbler")  # the absence of a band


def test_a_second_run_does_only_what_is_missing(tmp_path, monkeypatch):
    lab = Laboratory(Settings(repeats=2))
    run_part("coverage", lab, tmp_path)
    file = tmp_path / "coverage.jsonl"
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-2]) + "\n")
    ran = []
    whole = calibration.coverage.simulate
    monkeypatch.setattr(
        calibration.coverage, "simulate", lambda *args: ran.append(args[0]) or whole(*args)
    )
    told = run_part("coverage", lab, tmp_path)
    assert ran == [len(lines) - 2, len(lines) - 1]
    assert told["cases"] == {
        one["case"]: one["covered"] for one in map(json.loads, file.read_text().splitlines())
    }
    assert told["mean"] == pytest.approx(sum(told["cases"].values()) / len(lines))
