"""The table of commands: names and help lines, so that `saecli --help` imports none of them.

A new command is one module with one function, and one line here. Its help line is the first line
of the function's docstring (a test compares them).
"""

from dataclasses import dataclass

TRAIN, LOOK, TEST, CATALOG = "Train", "Look", "Test", "Catalog"


@dataclass(frozen=True)
class Entry:
    """One command: what the user types, where its function lives, and its line in the help.

    ``name`` holds a space for a command of a group (`probe train`), ``target`` is
    ``module:function`` below `saecli.cli`, ``panel`` the heading it stands under (a group's own
    panel for the commands of a group).
    """

    name: str
    target: str
    panel: str
    help: str


COMMANDS: tuple[Entry, ...] = (
    Entry(
        "train",
        "train:train",
        TRAIN,
        "Train dictionaries and profile them; without arguments, those of the built-in world.",
    ),
    Entry(
        "record",
        "record:record",
        TRAIN,
        "Record patch activations of one or several layers in a store that train and profile read.",
    ),
    Entry(
        "profile",
        "profile:profile",
        TRAIN,
        "Profile a dictionary over an image set: statistics, exemplars, signatures.",
    ),
    Entry(
        "probe train",
        "probe:train_probe",
        TRAIN,
        "Train a probe on class folders, labels.csv or masks, and score it on held-out pictures.",
    ),
    Entry(
        "probe list",
        "probe:list_probes",
        TRAIN,
        "List the catalog's probes with their held-out scores.",
    ),
    Entry(
        "demo",
        "demo:demo",
        TRAIN,
        "Draw pictures of the built-in world, with masks, captions and attributes.",
    ),
    Entry(
        "inspect",
        "inspect:inspect",
        LOOK,
        "Show which latents some patches of a picture activate, and store the observation.",
    ),
    Entry(
        "show",
        "show:show",
        LOOK,
        "Show a latent's statistics, labels and exemplars, or a dictionary's latents.",
    ),
    Entry(
        "list",
        "list:list_everything",
        LOOK,
        "List the catalog's dictionaries, backbones, image sets, probes and experiments.",
    ),
    Entry(
        "detect",
        "detect:detect",
        LOOK,
        "Rank latents by how well they detect a concept, per patch by masks or per picture.",
    ),
    Entry(
        "attribute",
        "attribute:attribute",
        LOOK,
        "Rank latents by what suppressing each would take from a class: a set to knock out.",
    ),
    Entry(
        "knockout",
        "knockout:knockout",
        TEST,
        "Knock latents out and measure, against controls, what becomes of a prediction.",
    ),
    Entry(
        "hypothesis add",
        "hypothesis:add",
        TEST,
        "State a prediction with its whole plan, before saecli knockout --hypothesis tests it.",
    ),
    Entry(
        "hypothesis list",
        "hypothesis:list_hypotheses",
        TEST,
        "List the hypotheses, registered or exploratory, with the verdicts of their experiments.",
    ),
    Entry(
        "experiments",
        "experiments:experiments",
        TEST,
        "List the finished experiments: what was claimed, the effect, the verdict.",
    ),
    Entry(
        "rerun",
        "rerun:rerun",
        TEST,
        "Run an experiment's plan on its pictures again, and say whether every figure is the same.",
    ),
    Entry(
        "compare",
        "compare:compare",
        LOOK,
        "Find the latents of another dictionary that fire on the same pictures, against chance.",
    ),
    Entry(
        "search",
        "search:search",
        LOOK,
        "Find latents by label, meaning, picture, class, another latent or figures, combined.",
    ),
    Entry(
        "similar",
        "similar:similar",
        LOOK,
        "List the latents of the same dictionary that fire alike, fire together or write alike.",
    ),
    Entry(
        "report",
        "report:report",
        LOOK,
        "Write latents and experiments on one HTML page that needs nothing else.",
    ),
    Entry("label", "label:label", LOOK, "Label a latent; its earlier labels stay in its history."),
    Entry(
        "labels export",
        "labels:export_labels",
        LOOK,
        "Write labels with their history to a file: CSV or JSON lines.",
    ),
    Entry(
        "labels import",
        "labels:import_labels",
        LOOK,
        "Take labels in from a file; what is known stays, what contradicts is kept beside.",
    ),
    Entry(
        "labels auto",
        "labels:label_automatically",
        LOOK,
        "Label latents by CLIP with words of a vocabulary; people's labels stay as they are.",
    ),
    Entry(
        "labels score",
        "labels:score",
        LOOK,
        "Score labels: does CLIP know from the words on which held-out pictures a latent fires?",
    ),
    Entry(
        "catalog info",
        "catalog:info",
        CATALOG,
        "Show a catalog's identity, schema, size and counts.",
    ),
    Entry(
        "catalog check",
        "catalog:check",
        CATALOG,
        "Check a catalog's pages, references and every artifact's hash.",
    ),
    Entry(
        "catalog upgrade",
        "catalog:upgrade",
        CATALOG,
        "Bring a catalog to this version's schema, with a backup of the old one beside it.",
    ),
    Entry(
        "catalog backup",
        "catalog:backup",
        CATALOG,
        "Copy a catalog with its folder of files, also while others write.",
    ),
    Entry(
        "catalog merge",
        "catalog:merge",
        CATALOG,
        "Bring in what another catalog has: dictionaries, labels, experiments, all of it.",
    ),
    Entry(
        "catalog vacuum",
        "catalog:vacuum",
        CATALOG,
        "Give room back: drop what nothing uses, and pack the catalog's file.",
    ),
    Entry(
        "catalog relocate",
        "catalog:relocate",
        CATALOG,
        "Find pictures that moved again, by their bytes.",
    ),
    Entry(
        "catalog default",
        "catalog:default",
        CATALOG,
        "Choose the dictionary that commands take where none is named.",
    ),
    Entry(
        "doctor",
        "doctor:doctor",
        CATALOG,
        "Check activation stores, or a catalog with its folder, byte by byte against their hashes.",
    ),
    Entry(
        "import",
        "import_:import_dictionary",
        TRAIN,
        "Import a dictionary that another project trained; its function is proved unchanged.",
    ),
    Entry(
        "export",
        "export:export",
        CATALOG,
        "Write a dictionary's checkpoint, or its latents, exemplars and labels, to files.",
    ),
)

GROUPS: dict[str, tuple[str, str]] = {
    "hypothesis": (TEST, "State hypotheses before they are tested, and list them."),
    "labels": (LOOK, "Many labels at once: files, automatic labels, scores."),
    "catalog": (CATALOG, "Look after the file that everything is kept in."),
    "probe": (TRAIN, "Train and list probes: heads on a backbone's final output."),
}
