"""One full report of every kind, with names that would break careless tables."""

from datetime import datetime

from saecli import records as r
from saecli.records.finding import (
    ClassFigures,
    FoundLatent,
    FoundReport,
    SimilarLatent,
    SimilarReport,
    WrittenReport,
)

BRACKETS = "[bold]wing[/bold]"


def image(number):
    return r.ImageRef(number, f"/pictures/train/[red] bird {number:03}.png")


def exemplars(n, largest=9.87):
    return [r.Exemplar(image(i), 37 + i, largest - i / 2) for i in range(n)]


DICTIONARY = r.DictionaryRow(
    name="dinov2-small-of-photos",
    backbone="dinov2:/models/[a]/dinov2-small",
    layer=10,
    grid=[16, 16],
    d_model=384,
    n_latents=3072,
    activation="topk",
    explained_variance=0.8712,
    l0=31.98,
    dead_fraction=0.0039,
    untrained=False,
    default=True,
)
EXPERIMENTS = [
    r.ExperimentRow(1, 1, "supported", True),
    r.ExperimentRow(2, 1, "inconclusive", True),
    r.ExperimentRow(3, 2, None, False),
]
MATCHES = [
    r.MatchRow("dinov2:33", 0.78, [0.71, 0.84], 0.001, BRACKETS, exemplars(3)),
    r.MatchRow("dinov2:8", 0.31, None, None, None, []),
]

TRAIN = r.TrainReport(
    [r.TrainedDictionary("clip", 0.8712, 7.98, 0.0039, 512, 2_400_000, 143.2, 38_231.0)],
    ["clip-species"],
    ["[a].png: truncated"],
    "catalog.db",
)
PROFILE = r.ProfileReport("clip", "fieldguide:train", 4000, 784_000, 512, 508, 12.3, [])
PROBE = r.ProbeReport("insects", "classification", ["ants", "[bees]"], 245, 151, 0.93, None)
GRID_PROBE = r.ProbeReport(
    "ground",
    "segmentation",
    ["sand", "[sea]"],
    30,
    10,
    0.9,
    0.712,
    "adamw",
    0.003,
    0.01,
    [r.ProbeGridPoint(0.003, 0.01, 0.2)] * 20,
)
UNSCORED = r.ProbeReport("texts", "zero_shot", ["a", "b"], 0, 0, float("nan"), None)
LIST = r.CatalogList(
    [DICTIONARY],
    [r.BackboneRow("fieldguide-clip", "clip", "built in")],
    [r.ImageSetRow("fieldguide:train", 4000, 0)],
    [r.ProbeRow("clip-species", "fieldguide-clip", "zero_shot", ["a"] * 24, 0.953, None)],
    EXPERIMENTS,
)
EMPTY_LIST = r.CatalogList([], [], [], [], [])
INSPECT = r.InspectReport(
    r.ImageRef(3, "pictures/[blue] jay.png"),
    "clip",
    [3, 4, 17, 18, 19],
    4,
    [
        r.InspectedLatent("clip:12", 18.3, BRACKETS, 0.0123, exemplars(4)),
        r.InspectedLatent("clip:408", 7.1, None, None, []),
    ],
    [14, 14],
    "sheet.png",
)
EXPLAINED = r.InspectReport(
    r.ImageRef(3, "pictures/[blue] jay.png"),
    "clip",
    list(range(196)),
    5,
    [
        r.InspectedLatent("clip:12", 18.3, BRACKETS, 0.0123, exemplars(4), -0.841, -0.944),
        r.InspectedLatent("clip:408", 7.1, None, None, [], -0.02, 0.01),
    ],
    [14, 14],
    None,
    r.ExplanationReport(
        "clip-species",
        "blue [jay]",
        "[nutcracker]",
        0.998,
        6.09,
        122,
        64,
        0.94,
        "clip:408",
        30,
        [1.0] * 196,
    ),
)
SHOW = r.ShowReport(
    "clip:12",
    BRACKETS,
    [
        r.LabelRow(1, "blue", "anna", datetime(2026, 1, 2), "superseded", None),
        r.LabelRow(7, BRACKETS, "anna", datetime(2026, 1, 3), "current", "[sure]"),
    ],
    0.0123,
    3.4,
    9.87,
    "fieldguide:train",
    {"counts": [0, 1, 5, 3, 0], "edges": [0.25, 0.5, 1.0, 2.0, 4.0, 8.0]},
    exemplars(16),
    exemplars(4),
    exemplars(4),
    MATCHES,
    EXPERIMENTS,
)
UNPROFILED = r.ShowReport("clip:12", None, [], None, None, None, None, None, [], [], [], [], [])
SHOW_DICTIONARY = r.ShowDictionaryReport(
    DICTIONARY,
    [r.ShownLatent("dinov2-small-of-photos:1024", BRACKETS, 0.012, 2.2, 9.9)],
    4,
    "density",
    [{"patches": i * 2e5, "explained_variance": 0.6, "l0": 8.0} for i in range(13)],
    "saecli train --images [set]",
)
LABEL = r.LabelReport("clip:12", BRACKETS, 7)
FOUND = FoundReport(
    "wing · class [jay]",
    [
        FoundLatent(
            "clip:12", BRACKETS, 0.987, exemplars(3), 0.0123, 3.4, 9.87, 5.5,
            ClassFigures(0.921, [0.86, 0.97], 0.0004, 0.9, 0.1),
        ),
        FoundLatent("clip:408", None, 0.5, [], None, None, None, 1.25),
    ],
    7,
    0,
    "score",
    "how [unusual]",
    [3],
)  # fmt: skip
NOTHING_FOUND = FoundReport("[wing]", [], 0, 0, "score", "bm25", [])
SIMILAR = SimilarReport(
    "clip:12",
    BRACKETS,
    "together",
    "[photos]",
    400,
    "cells of 16 a picture",
    [
        SimilarLatent("clip:40", BRACKETS, 0.37, 0.81, 0.37, -0.12, 0.01, exemplars(2)),
        SimilarLatent("clip:9", None, 0.2, None, 0.2, None, None, []),
    ],
)
WRITTEN = WrittenReport("[page].html", ["clip:1", "clip:2"], [3], 12_345, "ab-cd", 2)
COMPARE = r.CompareReport(
    {"ref": "clip:12", "label": BRACKETS},
    "dinov2",
    "signature_correlation",
    MATCHES,
    "dinov2:33",
    None,
    0.44,
    True,
    4000,
    512,
)
NO_COUNTERPART = r.CompareReport(
    {"ref": "clip:12", "label": None},
    "dinov2",
    "signature_correlation",
    MATCHES,
    None,
    "too_weak",
    None,
    None,
    4000,
    512,
)
DETECT = r.DetectReport(
    "clip",
    "blue [wing]",
    500,
    43,
    457,
    [r.DetectedLatent("clip:12", 0.86, 0.93, 0.8, 0.97, 1.3, BRACKETS)],
    0.5,
    False,
)
ATTRIBUTE = r.AttributeReport(
    "blue jay",
    "Clark's nutcracker",
    60,
    [
        r.AttributedLatent("clip:12", 0.9, 0.93, 0.012, BRACKETS),
        r.AttributedLatent("clip:99", -0.1, None, None, None),
    ],
)
EXPORT = r.ExportReport("clip", "safetensors", "[clip].safetensors", "0123456789abcdef" * 4)
DEMO = r.DemoReport("[demo]", 100, 3, {"wing": "grey"})


def control(mean, **shares):
    return r.ControlReport(99, mean, 0.1, mean - 0.3, 0.01, {"from_class": 0.01}, **shares)


def knockout(**changes):
    """A knock-out that was supported; ``changes`` replace fields."""
    fields = {
        "experiment": 12,
        "hypothesis": 4,
        "registered": True,
        "latents": [f"clip:{i}" for i in range(12, 24)],
        "value": "ablate",
        "scope": "active",
        "class_": "blue [jay]",
        "expect": "Clark's nutcracker",
        "n_images": 57,
        "n_excluded": 3,
        "effect": -3.52,
        "ci": [-3.91, -3.2],
        "p_value": 0.01,
        "alpha": 0.05,
        "smallest_effect": 0.41,
        "seed": 0,
        "flipped": {"from_class": 0.9, "to_expected": 0.87},
        "changed": None,
        "controls": {
            "other_latents": control(0.02, changed=None),
            "random_directions": control(0.0, changed=None),
        },
        "zero_edit": {"max_abs_difference": 0.0},
        "ceiling": {"effect": -5.1, "flipped": {"from_class": 0.96, "to_expected": 0.96}},
        "specificity": {"effect_without": -0.31, "holds": True},
        "verdict": "supported",
        "before": [r.ClassProbability("blue [jay]", 0.94), r.ClassProbability("wren", 0.01)],
        "after": [r.ClassProbability("blue [jay]", 0.08), r.ClassProbability("wren", 0.02)],
    }
    return r.KnockoutReport(**{**fields, **changes})


SEGMENTATION = knockout(
    expect=None,
    value="set:-1",
    changed={"target": 0.88, "other": 0.04},
    controls={"random_directions": control(0.0, changed={"target": 0.09, "other": 0.03})},
    ceiling=None,
)
