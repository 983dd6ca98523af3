"""Finding latents by the words of their labels."""

import re

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    and_,
    column,
    func,
    literal,
    literal_column,
    select,
    table,
)
from sqlalchemy.orm import Session

from saecli.catalog.dictionaries import get_dictionary
from saecli.catalog.labels import is_current
from saecli.catalog.latents import exemplars
from saecli.catalog.tables import Dictionary, Label, Latent
from saecli.records import SearchReport, SearchResult
from saecli.refs import latent_ref

_PART = re.compile(r'"([^"]*)"|(\S+)')
_WORD = re.compile(r"\w+")
_WORDS = table("label_words", column("rowid"))


def search_labels(
    session: Session,
    query: str,
    *,
    dictionary: str | None = None,
    top: int = 10,
    n_exemplars: int = 4,
) -> SearchReport:
    """The latents of which a label that holds has all words of a query, best first.

    A latent comes twice if a person's label and an automatic one have them.

    A word matches the words that start with it; words in double quotes match as a phrase. What
    has no words (an emoji) or no match (part of a word, a script without spaces) is looked for
    as it stands.

    Args:
        session: of the catalog.
        query: any text.
        dictionary: to look in; None for all.
        top: how many to return.
        n_exemplars: top exemplars with each.

    Returns:
        Scores are bm25 as SQLite has it, with the sign turned so that larger is better; 0 for
        what was found as it stands.

    Raises:
        SaecliError: if there is no such dictionary.
    """
    chosen = None if dictionary is None else get_dictionary(session, dictionary).id
    expression = match_expression(query)
    found: list[tuple[str, int, str, str, float]] = []
    if expression:
        score = -literal_column("bm25(label_words)", Float)
        words = literal_column("label_words", Boolean).op("MATCH", is_comparison=True)(expression)
        found = _find(session, and_(_WORDS.c.rowid == Label.id, words), score, chosen, top)
    plain = query.strip().strip('"').lower()
    if not found and plain:
        holding = func.instr(func.lower(Label.text), plain) > 0
        found = _find(session, holding, literal(0.0), chosen, top)
    by_dictionary: dict[str, list[int]] = {}
    for name, number, *_ in found:
        by_dictionary.setdefault(name, []).append(number)
    shown = {
        name: exemplars(session, get_dictionary(session, name), numbers, top=n_exemplars)
        for name, numbers in by_dictionary.items()
    }
    return SearchReport(
        query,
        [
            SearchResult(latent_ref(name, number), label, score, shown[name].get(number, []), kind)
            for name, number, label, kind, score in found
        ],
    )


def match_expression(query: str) -> str:
    """A query in the words of SQLite's full text search; empty if it has no words.

    Every word is quoted, so that no text is taken for an operator.
    """
    terms = []
    for phrase, plain in _PART.findall(query):
        words = _WORD.findall(phrase or plain)
        if phrase and words:
            terms.append(f'"{" ".join(words)}"')
        else:
            terms += [f'"{word}"*' for word in words]
    return " AND ".join(terms)


def _find(
    session: Session,
    condition: ColumnElement[bool],
    score: ColumnElement[float],
    dictionary_id: int | None,
    top: int,
) -> list[tuple[str, int, str, str, float]]:
    """Dictionary, index, label, its kind and score of the labels that hold, best first."""
    chosen = (
        select(Dictionary.name, Latent.number, Label.text, Label.kind, score.label("score"))
        .select_from(Label)
        .join(Latent, Label.latent_id == Latent.id)
        .join(Dictionary, Latent.dictionary_id == Dictionary.id)
        .where(is_current(), condition)
        .order_by(score.desc(), Dictionary.id, Latent.number, Label.kind.desc(), Label.id)
        .limit(top)
    )
    if dictionary_id is not None:
        chosen = chosen.where(Dictionary.id == dictionary_id)
    rows = session.execute(chosen)
    return [(name, number, text, kind, float(value)) for name, number, text, kind, value in rows]
