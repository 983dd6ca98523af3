"""Imports point one way: what each part of saecli may know of the others, read from the sources."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import saecli

ROOT = Path(saecli.__file__).parent

GROUND = {"errors", "files", "refs", "grid", "records", "progress"}
MATHS = {
    "images": set(),
    "backbones": {"images"},
    "activations": {"images", "backbones"},
    "sae": {"images", "backbones", "activations"},
    "foreign": {"images", "backbones", "activations", "sae"},
    "profiling": {"images", "backbones", "activations", "sae"},
    "experiments": {"images", "backbones", "activations", "sae"},
    "search": set(),
    "demo": {"images", "backbones"},
}
ALLOWED = {
    **{part: set() for part in GROUND},
    **MATHS,
    "catalog": set(),
    "render": set(),
    "workflows": {*MATHS, "catalog", "render"},
    # Commands take defaults from the settings of the steps; the work itself is the workflows'.
    "cli": {*MATHS, "catalog", "render", "workflows"},
    "__main__": {"cli"},
    "__init__": set(),
}

MODELS = {"torch", "torchvision", "open_clip", "transformers", "faiss"}
"""What takes seconds to import, or a third of one (faiss)."""

LIGHT = {"catalog", "render", "cli"}

FORBIDDEN = {
    **{part: {*MODELS, "sqlalchemy", "alembic", "typer", "rich", "PIL"} for part in GROUND},
    **{part: {"sqlalchemy", "alembic", "typer", "rich"} for part in MATHS},
    "catalog": {*MODELS, "typer", "rich"},
    "render": {*MODELS, "sqlalchemy", "alembic", "typer"},
    "workflows": {"typer", "rich"},
    "cli": MODELS,
}


@dataclass(frozen=True)
class Import:
    """One import: the module named, and whether it runs as soon as its file is imported."""

    target: str
    at_top: bool
    line: int


def part_of(file: Path) -> str:
    first = file.relative_to(ROOT).parts[0]
    return first.removesuffix(".py")


def module_of(file: Path) -> str:
    parts = ("saecli", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(file: Path) -> Iterator[Import]:
    package = module_of(file) if file.name == "__init__.py" else module_of(file).rpartition(".")[0]

    def visit(node: ast.AST, at_top: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            top = at_top
            if isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                top = False
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for inner in child.body:
                    yield from visit(ast.Module([inner], []), False)
                for inner in child.orelse:
                    yield from visit(ast.Module([inner], []), at_top)
                continue
            if isinstance(child, ast.Import):
                for name in child.names:
                    yield Import(name.name, top, child.lineno)
            elif isinstance(child, ast.ImportFrom):
                base = child.module or ""
                if child.level:
                    above = package.split(".")[: len(package.split(".")) - child.level + 1]
                    base = ".".join([*above, *([base] if base else [])])
                # `from saecli.sae import model` imports saecli.sae.model as well.
                yield from (
                    Import(f"{base}.{name.name}", top, child.lineno) for name in child.names
                )
            else:
                yield from visit(child, top)

    yield from visit(ast.parse(file.read_text(encoding="utf-8")), True)


FILES = sorted(ROOT.rglob("*.py"))
IMPORTS = {file: list(imports_of(file)) for file in FILES}


def test_every_part_of_the_package_has_a_place_in_the_layers():
    assert {part_of(file) for file in FILES} <= set(ALLOWED)


@pytest.mark.parametrize("part", sorted(ALLOWED))
def test_a_part_imports_only_from_below(part):
    allowed = ALLOWED[part] | GROUND | {part, "__version__"}
    upward = [
        f"{module_of(file)}, line {one.line}: {one.target}"
        for file, found in IMPORTS.items()
        if part_of(file) == part
        for one in found
        if one.target.startswith("saecli.") and one.target.split(".")[1] not in allowed
    ]
    assert not upward


@pytest.mark.parametrize("part", sorted(FORBIDDEN))
def test_a_part_keeps_away_from_the_libraries_of_the_others(part):
    foreign = [
        f"{module_of(file)}, line {one.line}: {one.target}"
        for file, found in IMPORTS.items()
        if part_of(file) == part
        for one in found
        if one.target.split(".")[0] in FORBIDDEN[part]
    ]
    assert not foreign


def test_importing_the_light_parts_never_reaches_a_model_library():
    """Through the imports that run at once, and theirs; those inside functions run on demand."""
    modules = {module_of(file): found for file, found in IMPORTS.items()}

    def loaded_with(target: str) -> Iterator[str]:
        parts = target.split(".")
        for length in range(2, len(parts) + 1):
            name = ".".join(parts[:length])
            if name in modules:
                yield name

    reached = {module_of(file) for file in FILES if part_of(file) in {*GROUND, *LIGHT}}
    waiting = sorted(reached)
    heavy = []
    while waiting:
        module = waiting.pop()
        for one in modules[module]:
            if one.at_top and one.target.split(".")[0] in MODELS:
                heavy.append(f"{module}, line {one.line}: {one.target}")
            if one.at_top:
                new = set(loaded_with(one.target)) - reached
                reached |= new
                waiting += new
    assert not heavy


def test_the_reader_of_imports_sees_functions_type_checks_and_relative_imports(tmp_path):
    package = ROOT / "render" / "table_that_does_not_exist.py"
    source = (
        "import numpy\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import torch\n"
        "def f():\n    from ..catalog import opening\n"
        "from . import parts\n"
    )
    file = tmp_path / "source.py"
    file.write_text(source)

    class Stand(type(package)):
        def read_text(self, encoding=None):
            return source

    found = {one.target: one.at_top for one in imports_of(Stand(package))}
    assert found["numpy"] is True
    assert found["torch"] is False
    assert found["saecli.catalog.opening"] is False
    assert found["saecli.render.parts"] is True
