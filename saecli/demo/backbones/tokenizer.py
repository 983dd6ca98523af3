"""The word tokenizer of the built-in CLIP: a few dozen words, an ordinary `tokenizer.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

PAD, UNKNOWN, START, END = "<pad>", "<unk>", "<start>", "<end>"
_WORD = re.compile(r"[\w']+")


def words_of(text: str) -> list[str]:
    """The words of a text as the tokenizer sees them: lower case, punctuation dropped."""
    return _WORD.findall(text.lower().replace("’", "'"))


def write_tokenizer(texts: Iterable[str], folder: Path) -> int:
    """Write `tokenizer.json` and `tokenizer_config.json` for all words of the texts.

    Every word is one token; a word that the texts don't hold becomes `<unk>`. `<end>` has
    the highest id, because open_clip's default text pooling reads the output at the largest
    id of the row (`text_global_pool`, `argmax`), as OpenAI's CLIP did.

    Args:
        texts: captions and prompts.
        folder: an existing folder, that of the model.

    Returns:
        The size of the vocabulary.
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    words = sorted({word for text in texts for word in words_of(text)})
    vocabulary = {token: i for i, token in enumerate([PAD, UNKNOWN, START, *words, END])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace("’", "'")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\w']+"), "removed")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}",
        special_tokens=[(START, vocabulary[START]), (END, vocabulary[END])],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "unk_token": UNKNOWN,
        "bos_token": START,
        "eos_token": END,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    return len(vocabulary)
