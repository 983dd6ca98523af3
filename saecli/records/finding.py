"""What the commands report that find latents and hand on what is known of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class WrittenReport:
    """A page that was written; ``size`` is in bytes."""

    out: str
    latents: list[str]
    experiments: list[int]
    size: int
    catalog_id: str
    schema: int
