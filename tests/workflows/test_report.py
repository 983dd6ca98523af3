"""`saecli report`: one file that says what the catalog holds and fetches nothing."""

import base64
import io
import re
import sqlite3
from html.parser import HTMLParser

import pytest
from PIL import Image

from tests.commands import CHECKOUT

EXAMPLE = CHECKOUT / "catalog.example.db"
VOID = {"meta", "img", "input", "br", "path"}


class Read(HTMLParser):
    """The page as a strict reader sees it: every element closed, all texts and attributes kept."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(" ".join(data.split()))

    @property
    def words(self) -> str:
        return " ".join(text for text in self.texts if text)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    from saecli.cli.app import main

    out = tmp_path_factory.mktemp("report") / "page.html"
    words = ["report", "clip:282", "experiment:4", "--out", str(out), "--catalog", str(EXAMPLE)]
    assert main([*words, "-q"]) == 0
    return out.read_text(encoding="utf-8")


def test_every_element_is_closed_and_no_script_runs(page):
    read = Read(page)
    assert not [tag for tag, _, _ in read.attributes if tag in ("script", "link", "iframe")]
    assert not [name for _, name, _ in read.attributes if name.startswith("on")]


def test_nothing_is_fetched_from_outside_the_file(page):
    read = Read(page)
    addresses = [v for _, name, v in read.attributes if name in ("src", "href", "srcset", "action")]
    ids = {value for _, name, value in read.attributes if name == "id"}
    assert addresses
    for address in addresses:
        assert address.startswith("data:image/") or address.removeprefix("#") in ids
    style = page.split("<style>")[1].split("</style>")[0]
    assert "url(" not in style
    assert "@import" not in style
    (policy,) = [v for t, n, v in read.attributes if (t, n) == ("meta", "content") and "src" in v]
    assert policy.startswith("default-src 'none'")


def test_its_pictures_are_pictures(page):
    found = re.findall(r'src="data:image/\w+;base64,([^"]+)"', page)
    assert len(found) >= 10
    for one in found:
        Image.open(io.BytesIO(base64.b64decode(one))).load()


def test_it_says_what_the_catalog_says(page):
    read = Read(page)
    with sqlite3.connect(EXAMPLE) as catalog:
        (identity, schema) = catalog.execute(
            "SELECT catalog_id, (SELECT user_version FROM pragma_user_version) FROM meta"
        ).fetchone()
        (text, author) = catalog.execute(
            "SELECT text, author FROM label JOIN latent ON latent.id = latent_id "
            "JOIN dictionary ON dictionary.id = dictionary_id WHERE name = 'clip' AND number = 282"
        ).fetchone()
        effect, low, high, verdict = catalog.execute(
            "SELECT effect, ci_low, ci_high, verdict FROM experiment WHERE id = 1"
        ).fetchone()
        (maximum,) = catalog.execute(
            "SELECT maximum FROM latent_profile JOIN profile ON profile.id = profile_id "
            "JOIN dictionary ON dictionary.id = dictionary_id "
            "WHERE name = 'clip' AND number = 282"
        ).fetchone()
    assert identity in read.words
    assert f"schema {schema}" in read.words
    assert text in read.words
    assert author in read.words
    assert f"largest {maximum:.2f}" in read.words
    assert verdict in read.words
    assert f"{effect:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−") in read.words


def test_every_part_names_the_command_behind_it(page):
    words = Read(page).words
    for command in (
        "saecli profile clip --images fieldguide:train --n-images 400",
        "saecli label clip:282 'blue wing'",
        "saecli compare --from clip:282 --to dinov2",
        "saecli hypothesis add 'a yellow breast makes it a blue jay'",
        "saecli knockout --hypothesis 4",
        "saecli train",
    ):
        assert command in words


def test_an_experiment_is_told_once(page):
    ids = [value for _, name, value in Read(page).attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert ids.count("experiment-4") == 1


def test_words_of_users_are_no_markup(saecli_trained):
    label = "<script>alert('x')</script> & <b>bold</b>"
    assert saecli_trained("label", "clip:3", label, "--author", "<i>ada</i>").code == 0
    found = saecli_trained.json("report", "clip:3", "--out", "page.html")
    text = (saecli_trained.folder / "page.html").read_text()
    assert "<script" not in text
    assert "<b>bold" not in text
    assert label in Read(text).words
    assert "<i>ada</i>" in Read(text).words
    assert found["latents"] == ["clip:3"]
    assert found["size"] == len(text.encode())


def test_sets_and_several_subjects_stand_on_one_page(saecli_trained):
    found = saecli_trained.json("report", "clip:3+5", "dinov2:1", "--out", "page.html")
    assert found["latents"] == ["clip:3", "clip:5", "dinov2:1"]
    read = Read((saecli_trained.folder / "page.html").read_text())
    assert {"#clip-3", "#clip-5", "#dinov2-1"} <= {v for _, n, v in read.attributes if n == "href"}


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("clip:3",), 2, "name it with --out"),
        (("clip:3", "--out", "page.pdf"), 2, "doesn't end in .html"),
        (("clip:3", "--out", "nowhere/page.html"), 2, "no folder"),
        (("clip:9999", "--out", "page.html"), 1, "no latent clip:9999"),
        (("hypothesis:1", "--out", "page.html"), 2, "name its experiment"),
        (("experiment:7", "--out", "page.html"), 1, "experiment"),
    ],
)
def test_what_cannot_be_reported_is_refused_before_a_file_is_written(
    saecli_trained, words, code, sentence
):
    outcome = saecli_trained("report", *words)
    assert outcome.code == code
    assert sentence in outcome.sentence
    assert not list(saecli_trained.folder.glob("*.html"))


def test_what_only_newer_profiles_say_is_told(saecli_trained):
    rows = saecli_trained.json("search", "--sort", "density", "--dictionary", "clip", "--top", 10)
    told = [saecli_trained.json("show", row["ref"]) for row in rows["results"]]
    told = [one for one in told if one["near_misses"] and one["monosemanticity"] is not None]
    shown = told[0]
    saecli_trained.json("report", shown["ref"], "--out", "page.html")
    words = Read((saecli_trained.folder / "page.html").read_text()).words
    assert f"monosemanticity {shown['monosemanticity']:.2f}".replace("-", "−") in words
    near = words.split("Near misses")[1].split("How strongly")[0]
    for one in shown["near_misses"][:12]:
        assert f"{one['image']['path'].rpartition('/')[2]}:{one['patch']}" in near
    for effect in (shown["enriched"] or [])[:8]:
        assert effect["class"] in words.split("Classes that it fires more on")[1]
