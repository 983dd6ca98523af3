"""Local model folders: which family they hold, and one-sentence refusals of the wrong ones."""

import json
from pathlib import Path

from saecli.backbones.names import FAMILIES, Family
from saecli.errors import SaecliError


def read_config(folder: Path, family: str) -> dict[str, object]:
    """The family's configuration file in a folder.

    Raises:
        SaecliError: if the folder holds another family's model or none, or the file is broken.
    """
    if not _holds(folder, FAMILIES[family]):
        raise _wrong_family(folder, family)
    return read_json(folder / FAMILIES[family].config_file)


def read_json(file: Path) -> dict[str, object]:
    """A JSON object.

    Raises:
        SaecliError: if the file can't be read or holds something else.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SaecliError(
            f"{file} can't be read as JSON", "restore it from where the model came from"
        ) from error
    if not isinstance(content, dict):
        raise SaecliError(
            f"{file} holds no JSON object", "restore it from where the model came from"
        )
    return content


def check_weights(folder: Path, patterns: tuple[str, ...]) -> None:
    """Refuse a folder without weights.

    Raises:
        SaecliError: if no file matches any of the patterns.
    """
    if not any(any(folder.glob(pattern)) for pattern in patterns):
        raise SaecliError(
            f"the folder {folder} holds no weights",
            f"put the model's weights ({patterns[0]}) into it",
        )


def unusable(source: str, error: BaseException) -> SaecliError:
    """The sentence for a model whose files a library refuses; raise it ``from`` the error."""
    return SaecliError(
        f"the files of '{source}' make no working model ({first_detail(error)})",
        "check that its configuration and weights belong together and are whole",
    )


def first_detail(error: BaseException) -> str:
    """The first line of a library's error that says something, at most 160 characters."""
    lines = [line.strip(" \t.:") for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith("Error(s) in loading state_dict")]
    return (telling or lines or [type(error).__name__])[0][:160]


def _holds(folder: Path, family: Family) -> bool:
    file = folder / family.config_file
    if not file.is_file():
        return False
    return not family.model_types or read_json(file).get("model_type") in family.model_types


def _wrong_family(folder: Path, family: str) -> SaecliError:
    for other, entry in FAMILIES.items():
        if other != family and _holds(folder, entry):
            return SaecliError(
                f"the folder {folder} holds a model of {entry.title}, not of "
                f"{FAMILIES[family].title}",
                f"name it {other}:{folder}",
            )
    readable = " and ".join(f"{entry.title} ({name}:)" for name, entry in FAMILIES.items())
    config = folder / "config.json"
    model_type = read_json(config).get("model_type") if config.is_file() else None
    if model_type is not None:
        return SaecliError(
            f"the folder {folder} holds a model of type '{model_type}'",
            f"give one of {readable}",
        )
    return SaecliError(
        f"the folder {folder} holds no {FAMILIES[family].config_file}",
        f"give a model folder of {readable}",
    )
