import pytest
from sqlalchemy import select

from saecli.catalog.artifacts import store_artifact
from saecli.catalog.backbones import find_backbone
from saecli.catalog.dictionaries import (
    default_dictionary,
    default_name,
    dictionaries,
    dictionary_names,
    find_dictionary,
    get_dictionary,
    get_latents,
    latent_ids,
    read_checkpoint,
    set_default,
    training_points,
    untrained_of_other_width,
    untrained_twin,
)
from saecli.catalog.labels import add_label, current_labels
from saecli.catalog.tables import Dictionary, TrainingPoint
from saecli.catalog.training import (
    add_training_points,
    begin_dictionary,
    check_name_free,
    publish_dictionary,
)
from saecli.errors import SaecliError
from saecli.refs import parse_concept
from tests.catalog.content import GRID, N_LATENTS, backbone_row, train


def draft(session, content, name="new", **changes) -> int:
    values = {"layer": 2, "n_latents": 4, "activation": "relu", "settings": {}}
    return begin_dictionary(
        session, content.invocation, name=name, backbone=content.backbone, **{**values, **changes}
    )


def test_a_dictionary_is_found_with_its_whole_identity(session, content):
    found = get_dictionary(session, "clip")
    assert found == content.clip
    assert (found.layer, found.tokens, found.n_latents) == (2, "patches", N_LATENTS)
    assert (found.d_model, found.grid, found.backbone.digest) == (8, GRID, "d" * 64)
    assert (found.explained_variance, found.l0, found.dead_fraction) == (0.9, 4.0, 0.0)
    assert found.command == "saecli train --name clip"
    assert read_checkpoint(session, found) == b"checkpoint of clip"
    assert training_points(session, found) == [
        {"step": 100, "patches_seen": 6400, "l0": 4.0, "loss": 0.5}
    ]


def test_an_unknown_name_is_told_the_known_ones(catalog, content):
    train(catalog, content.invocation, content.backbone, "dinov2", b"another")
    with catalog.reading() as session, pytest.raises(SaecliError) as caught:
        get_dictionary(session, "dino")
    assert str(caught.value) == (
        "no dictionary 'dino' in ./catalog.db, which has dinov2 and clip; name one of these, or "
        "train it with saecli train"
    )


def test_an_empty_catalog_says_that_it_has_none(empty):
    with empty.reading() as session:
        with pytest.raises(SaecliError, match=r"no dictionary 'x' .*, which has none"):
            get_dictionary(session, "x")
        with pytest.raises(SaecliError, match="has no dictionary yet; train one"):
            default_dictionary(session)


def test_a_latent_beyond_the_width_is_refused(session, content):
    with pytest.raises(
        SaecliError, match=r"no latent clip:24: 'clip' has 24; give one from 0 to 23"
    ):
        get_latents(session, parse_concept("clip:3+24"))
    ids = latent_ids(session, content.clip, [5, 0, 23])
    assert len(set(ids)) == 3
    assert latent_ids(session, content.clip, [0, 5, 23]) == [ids[1], ids[0], ids[2]]


def test_a_draft_is_invisible(catalog, content):
    with catalog.writing() as session:
        draft(session, content)
    with catalog.reading() as session:
        assert dictionary_names(session) == ["clip"]
        assert find_dictionary(session, "new") is None
        assert [found.name for found in dictionaries(session)] == ["clip"]
        with pytest.raises(SaecliError, match="no dictionary 'new'"):
            set_default(session, "new")


def test_a_draft_of_an_interrupted_run_gives_way_or_is_gone_on_with(catalog, content):
    points = [{"step": 1, "patches_seen": 64, "l0": 3.0}]
    with catalog.writing() as session:
        first = draft(session, content)
        add_training_points(session, first, points)
    with catalog.writing() as session:
        assert draft(session, content, resume=True, layer=1) == first
        add_training_points(session, first, [{**points[0], "l0": 2.0}])
        assert session.scalars(select(TrainingPoint.figures)).all()[-1] == {"l0": 2.0}
    with catalog.writing() as session:
        draft(session, content)
        rows = session.scalars(select(Dictionary).where(Dictionary.name == "new")).all()
        assert [row.layer for row in rows] == [2]
        assert len(session.scalars(select(TrainingPoint.step)).all()) == 1  # that of clip


def test_a_draft_that_another_run_displaced_is_a_sentence(catalog, content):
    with catalog.writing() as session:
        mine = draft(session, content)
    with catalog.writing() as session:
        assert draft(session, content) != mine
    with (
        pytest.raises(SaecliError, match="another saecli has begun to train a dictionary"),
        catalog.writing() as session,
    ):
        add_training_points(session, mine, [{"step": 1, "patches_seen": 64}])


def test_a_taken_name_is_refused_before_any_work(catalog, content):
    with catalog.writing() as session:
        with pytest.raises(SaecliError, match="has a dictionary 'clip' already; choose another"):
            draft(session, content, "clip")
        with pytest.raises(SaecliError, match="'a:b' can't name a dictionary"):
            check_name_free(session, "a:b")
        check_name_free(session, "clip-2")


def test_a_replaced_dictionary_stays_with_its_labels_under_a_new_name(catalog, content):
    with catalog.writing() as session:
        add_label(session, content.invocation, parse_concept("clip:3"), "sand", author="me")
    newer = train(catalog, content.invocation, content.backbone, "clip", b"newer", replace=True)
    with catalog.reading() as session:
        assert dictionary_names(session) == ["clip-2", "clip"]
        older = get_dictionary(session, "clip-2")
        assert older.sha256 == content.clip.sha256 != newer.sha256
        assert current_labels(session, older) == {3: "sand"}
        assert current_labels(session, newer) == {}
        assert default_name(session) == "clip"


def test_the_same_checkpoint_again_is_the_same_dictionary(catalog, content):
    again = train(
        catalog, content.invocation, content.backbone, "clip", b"checkpoint of clip", replace=True
    )
    assert again == content.clip
    with pytest.raises(SaecliError, match="'other' came out the same as 'clip'; use 'clip'"):
        train(catalog, content.invocation, content.backbone, "other", b"checkpoint of clip")
    with catalog.reading() as session:
        assert dictionary_names(session) == ["clip"]


def test_an_interrupt_while_publishing_publishes_nothing(catalog, content):
    with catalog.writing() as session:
        number = draft(session, content)

    def publish_and_stop():
        with catalog.writing() as session:
            publish_dictionary(
                session,
                number,
                checkpoint=store_artifact(session, content.invocation, b"new", "checkpoint"),
                explained_variance=0.9,
                l0=1.0,
                dead_fraction=0.0,
                patches_seen=1,
                seconds=1.0,
            )
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_and_stop()
    with catalog.reading() as session:
        assert dictionary_names(session) == ["clip"]


def test_the_first_dictionary_is_the_default_until_another_is_chosen(catalog, content):
    train(catalog, content.invocation, content.backbone, "dinov2", b"another")
    with catalog.writing() as session:
        assert default_dictionary(session).name == "clip"
        set_default(session, "dinov2")
    with catalog.reading() as session:
        assert default_dictionary(session).name == "dinov2"


def test_the_untrained_twin_is_found_from_its_original(catalog, content):
    with catalog.writing() as session:
        random = backbone_row(session, content.invocation, "e" * 64, untrained=True)
    twin = train(
        catalog,
        content.invocation,
        random,
        "clip-untrained",
        b"twin",
        untrained=True,
    )
    assert twin.untrained
    with catalog.reading() as session:
        assert untrained_twin(session, content.clip) == twin
        assert untrained_twin(session, twin) is None
        assert untrained_of_other_width(session, content.clip) == []


def test_an_untrained_dictionary_of_another_width_is_no_twin(catalog, content):
    with catalog.writing() as session:
        random = backbone_row(session, content.invocation, "e" * 64, untrained=True)
    wide = train(catalog, content.invocation, random, "wide", b"wide", untrained=True, n_latents=48)
    with catalog.reading() as session:
        assert untrained_twin(session, content.clip) is None
        assert untrained_of_other_width(session, content.clip) == [wide]


def test_a_backbone_is_known_by_its_digest(catalog, content):
    with catalog.writing() as session:
        moved = backbone_row(session, content.invocation, source="/elsewhere")
        other = backbone_row(session, content.invocation, "f" * 64)
    assert (moved.id, moved.source) == (content.backbone.id, "/elsewhere")
    assert other.id != moved.id
    with catalog.reading() as session:
        assert find_backbone(session, "f" * 64) == other
        assert find_backbone(session, "0" * 64) is None
