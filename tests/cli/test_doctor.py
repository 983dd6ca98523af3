"""`saecli doctor` finds what is damaged and says that the rest is whole."""


def test_a_whole_catalog_is_called_whole(saecli_trained):
    found = saecli_trained.json("doctor")
    assert found["ok"] is True
    assert [one["kind"] for one in found["checked"]] == ["catalog", "cached activations"]
    assert found["versions"]["saecli"]
    assert "whole" in saecli_trained("doctor").out


def test_a_damaged_store_and_a_damaged_cache_end_in_a_sentence(saecli_trained, models, pictures):
    backbone = f"dinov2:{models['dinov2']}"
    args = ("--backbone", backbone, "--images", pictures, "--out", "store")
    assert saecli_trained("record", *args).code == 0
    assert saecli_trained.json("doctor", "store")["checked"][0]["ok"] is True
    cached = next((saecli_trained.folder / "catalog.files" / "activations").iterdir())
    for path in (cached, saecli_trained.folder / "store" / "layer-1" / "00000.safetensors"):
        data = path.read_bytes()
        path.write_bytes(data[:-100] + bytes(100))
    outcome = saecli_trained("doctor", "store", "--catalog", "catalog.db", "--json")
    assert outcome.code == 1
    assert "2 problems were found" in outcome.sentence
    found = outcome.document
    assert [one["ok"] for one in found["checked"]] == [False, True, False]
    assert "no activation store" in saecli_trained("doctor", pictures).sentence
