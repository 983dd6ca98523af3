"""Automatic labels: CLIP chooses a word of a vocabulary for each latent."""

import hashlib
from dataclasses import asdict
from pathlib import Path

import numpy as np

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.invocations import Invocation
from saecli.catalog.label_scores import standing_labels
from saecli.catalog.labels import LABELLER, LONGEST, add_label
from saecli.catalog.opening import Catalog
from saecli.errors import SaecliError
from saecli.progress import Progress
from saecli.records import AutomaticLabel, AutomaticLabelsReport
from saecli.refs import Concept, latent_ref
from saecli.search.vocabulary import BestWords, WordRule, best_words
from saecli.workflows.label_evidence import embed_labels, open_clip_reader, see_pictures

NAME = "clip-zero-shot 1"  # the labeller and its version: other figures, another version
BUILT_IN = "fieldguide"


def read_vocabulary(source: str) -> list[str]:
    """The words of a file, one a line (`#` begins a remark), or of the built-in world.

    Raises:
        SaecliError: if the file can't be read, or has no words.
    """
    if source == BUILT_IN:
        from saecli.demo.world.words import vocabulary

        return list(vocabulary())
    path = Path(source).expanduser()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise SaecliError(f"'{path}' is no UTF-8 text", "save it as UTF-8") from None
    except OSError as error:
        raise SaecliError(
            f"the vocabulary '{path}' can't be read ({error.strerror or error})",
            f"name a file with one word or phrase a line, or {BUILT_IN}",
        ) from error
    words = list(dict.fromkeys(" ".join(line.split("#")[0].split()) for line in lines))
    words = [word for word in words if word]
    if not words:
        raise SaecliError(f"the vocabulary '{path}' is empty", "write one word or phrase a line")
    long = [word for word in words if len(word) > LONGEST]
    if long:
        raise SaecliError(
            f"'{long[0][:40]}…' is too long for a label", f"at most {LONGEST} characters"
        )
    return words


def label_automatically(
    catalog: Catalog,
    invocation: Invocation,
    dictionary: str,
    *,
    vocabulary: str,
    words: list[str],
    clip: str | None,
    rule: WordRule,
    device: str,
    progress: Progress,
) -> AutomaticLabelsReport:
    """Give latents the words that tell best where they fire; people's labels stay as they are.

    Half of the signature's pictures choose (by their hashes); the other half are left to score the
    labels. A latent for which no word is good enough gets none.

    Args:
        catalog: open for writing.
        invocation: the command's.
        dictionary: whose latents.
        vocabulary: where the words are from.
        words: to choose from.
        clip: that reads them; None for the catalog's only one.
        rule: when a word is good enough.
        device: where CLIP computes.
        progress: of its reading.

    Raises:
        SaecliError: if there is no such dictionary, profile or CLIP, or too few pictures.
    """
    with catalog.reading() as session:
        info = get_dictionary(session, dictionary)
        before = {
            one.index: one.text
            for one in standing_labels(session, info)
            if one.kind == LABELLER and one.author == NAME
        }
    backbone = open_clip_reader(catalog, clip, device, progress)
    seen = see_pictures(catalog, info, backbone, progress)
    likeness = embed_labels(backbone, words) @ seen.embeddings[seen.choosing].T
    best = best_words(seen.signatures[:, seen.choosing], likeness, rule)
    evidence = {
        "clip": backbone.digest,
        "image_set": seen.digest,
        "n_images": int(seen.choosing.sum()),
        "vocabulary": hashlib.sha256("\n".join(words).encode()).hexdigest(),
        "n_words": len(words),
        "rule": asdict(rule),
    }
    invocation.resolve(invocation.settings | evidence)
    good = np.flatnonzero(best.good).tolist()
    new = [i for i in good if before.get(i) != words[best.word[i]]]
    with catalog.writing() as session:
        for i in new:
            add_label(
                session,
                invocation.id,
                Concept(info.name, (i,)),
                words[best.word[i]],
                author=NAME,
                kind=LABELLER,
                confidence=round(float(best.r[i]), 4),
                evidence=evidence,
            )
    return AutomaticLabelsReport(
        dictionary=info.name,
        labeller=NAME,
        clip=backbone.name,
        vocabulary=vocabulary,
        n_words=len(words),
        n_images=int(seen.choosing.sum()),
        n_labelled=len(new),
        n_unchanged=len(good) - len(new),
        n_without=info.n_latents - len(good),
        labels=[_told(info.name, i, best, words) for i in good],
    )


def _told(dictionary: str, i: int, best: BestWords, words: list[str]) -> AutomaticLabel:
    second = int(best.runner_up[i])
    return AutomaticLabel(
        ref=latent_ref(dictionary, i),
        label=words[best.word[i]],
        confidence=float(best.r[i]),
        runner_up=words[second] if second >= 0 else None,
        runner_up_confidence=float(best.runner_up_r[i]) if second >= 0 else None,
    )
