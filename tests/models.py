"""Tiny model folders of the real classes with random weights, for the tests of every package."""

import json
from pathlib import Path

import torch

from saecli.backbones.silence import quiet

TINY_WORDS = ("a", "photo", "of", "bird", "sand", "water", "red", "blue", "wing")


def write_tiny_clip(
    folder: Path,
    *,
    layers: int = 3,
    width: int = 32,
    image: int = 32,
    patch: int = 8,
    embed: int = 16,
    seed: int = 0,
    quick_gelu: bool = False,
    preprocess: dict[str, object] | None = None,
    **vision: object,
) -> Path:
    """Write an open_clip folder as open_clip's own hub export does, with a `tokenizer.json`.

    Args:
        folder: made if it isn't there.
        preprocess: keys of `preprocess_cfg` besides the defaults.
        vision: further keys of `vision_cfg`, such as ``pool_type="avg"``.

    Returns:
        The folder.
    """
    import open_clip
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    model_cfg = {
        "embed_dim": embed,
        "quick_gelu": quick_gelu,
        "vision_cfg": {
            "layers": layers,
            "width": width,
            "head_width": 8,
            "patch_size": patch,
            "image_size": image,
            **vision,
        },
        "text_cfg": {
            "context_length": 12,
            "vocab_size": len(TINY_WORDS) + 4,
            "width": 16,
            "heads": 2,
            "layers": 1,
            "hf_tokenizer_name": "tokenizer",
            "tokenizer_kwargs": {"clean_up_tokenization_spaces": False},
        },
    }
    config = {"model_cfg": model_cfg, "preprocess_cfg": preprocess or {}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    write_tiny_tokenizer(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = open_clip.CLIP(**model_cfg)
        # open_clip starts norms and biases at 1 and 0, which would hide mistakes with them.
        for parameter in model.visual.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    return folder


def write_tiny_tokenizer(folder: Path) -> None:
    """A word-level `tokenizer.json` whose texts end in the largest number, as CLIP expects."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    words = ["<pad>", "<unk>", *TINY_WORDS, "<start>", "<end>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<start> $A <end>",
        special_tokens=[(word, vocabulary[word]) for word in ("<start>", "<end>")],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<start>",
        eos_token="<end>",
        pad_token="<pad>",
        unk_token="<unk>",
    ).save_pretrained(folder)


def write_tiny_dinov2(
    folder: Path,
    *,
    layers: int = 3,
    width: int = 32,
    image: int = 32,
    patch: int = 8,
    registers: int = 0,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    preprocessor: dict[str, object] | None = None,
    **config: object,
) -> Path:
    """Write a transformers DINOv2 folder by `save_pretrained`, with registers if any are asked for.

    Args:
        folder: made if it isn't there.
        image: the size that the model's position embeddings are made for, in pixels.
        preprocessor: the content of `preprocessor_config.json`; None: none is written.
        config: further fields of the configuration, such as ``use_swiglu_ffn=True``.

    Returns:
        The folder.
    """
    import transformers

    folder.mkdir(parents=True, exist_ok=True)
    fields = {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": width // 8,
        "image_size": image,
        "patch_size": patch,
        **config,
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if registers:
            model = transformers.Dinov2WithRegistersModel(
                transformers.Dinov2WithRegistersConfig(num_register_tokens=registers, **fields)
            )
        else:
            model = transformers.Dinov2Model(transformers.Dinov2Config(**fields))
        # The library starts weights at 0.02, at which blocks hardly differ from the identity.
        for parameter in model.parameters():
            parameter.data += 0.1 * torch.randn_like(parameter)
    with quiet():
        model.to(dtype).save_pretrained(folder)
    if preprocessor is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessor))
    return folder


def dinov2_preprocessor(resize: int = 36, crop: int = 32, **changes: object) -> dict[str, object]:
    """The content of a `preprocessor_config.json` as DINOv2's hub repositories have it."""
    return {
        "image_processor_type": "BitImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": resize},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": crop, "width": crop},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
        **changes,
    }


def pillow_processor() -> type:
    """transformers' image processor of DINOv2 that resizes with Pillow; its name has changed."""
    import transformers

    return getattr(transformers, "BitImageProcessorPil", transformers.BitImageProcessor)
