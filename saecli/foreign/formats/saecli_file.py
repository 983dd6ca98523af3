"""saecli's own checkpoints, as `saecli export --format safetensors` writes them."""

from saecli.foreign.content import Content

NAME = "saecli"


def recognises(content: Content) -> bool:
    """Whether the file's header says that saecli wrote it."""
    return "saecli" in content.metadata
