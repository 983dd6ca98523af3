import shutil

import pytest

from saecli.catalog.opening import Catalog, open_catalog
from tests.catalog.content import Content, fill


@pytest.fixture(scope="session")
def blank(tmp_path_factory):
    """An empty catalog's file; copied, never changed."""
    path = tmp_path_factory.mktemp("blank") / "catalog.db"
    open_catalog(path, create=True).close()
    return path


@pytest.fixture(scope="session")
def stocked(tmp_path_factory, blank):
    """A filled catalog's file and what was written; copied, never changed."""
    path = tmp_path_factory.mktemp("stocked") / "catalog.db"
    shutil.copy(blank, path)
    with open_catalog(path, write=True) as catalog:
        return path, fill(catalog)


@pytest.fixture
def empty(blank, tmp_path, monkeypatch) -> Catalog:
    """An empty catalog at ./catalog.db, open for writing."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(blank, tmp_path / "catalog.db")
    with open_catalog(write=True) as catalog:
        yield catalog


@pytest.fixture
def catalog(stocked, tmp_path, monkeypatch) -> Catalog:
    """A filled catalog at ./catalog.db, open for writing."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(stocked[0], tmp_path / "catalog.db")
    with open_catalog(write=True) as catalog:
        yield catalog


@pytest.fixture
def content(stocked) -> Content:
    """What the filled catalog holds."""
    return stocked[1]


@pytest.fixture
def session(catalog):
    """A reading session on the filled catalog."""
    with catalog.reading() as session:
        yield session
