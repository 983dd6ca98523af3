"""What a picture file becomes, and what happens to files that are none."""

import hashlib
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from saecli.images.decoding import (
    MAX_PIXELS,
    UnreadableImage,
    content_hash,
    decode,
    decode_bytes,
    thumbnail,
)


def gradient(width=48, height=32) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    levels = np.stack([x * 255 // (width - 1), y * 255 // (height - 1), 0 * x], axis=-1)
    return Image.fromarray(levels.astype(np.uint8))


def pixels(image: Image.Image) -> np.ndarray:
    assert image.mode == "RGB"
    return np.asarray(image)


ORIENTED = {  # EXIF value -> the transposition that the file's pixels have undergone
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_exif_rotation_is_undone(tmp_path, orientation, suffix):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned.{suffix}"
    gradient().transpose(ORIENTED[orientation]).save(path, exif=exif)
    np.testing.assert_array_equal(pixels(decode(path)), pixels(gradient()))


def test_exif_rotation_of_a_photograph_is_undone(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    gradient().transpose(Image.Transpose.ROTATE_90).save(
        tmp_path / "a.jpg", exif=exif, quality=95, subsampling=0
    )
    difference = pixels(decode(tmp_path / "a.jpg")).astype(int) - pixels(gradient())
    assert np.abs(difference).max() <= 8  # JPEG loses a little; a wrong turn is hundreds


def test_transparency_goes_onto_white(tmp_path):
    layer = gradient().convert("RGBA")
    alpha = np.zeros((32, 48), np.uint8)
    alpha[:16], alpha[16:24] = 255, 128
    layer.putalpha(Image.fromarray(alpha))
    layer.save(tmp_path / "a.png")
    got = pixels(decode(tmp_path / "a.png")).astype(float)
    share = alpha[..., None] / 255
    expected = share * pixels(gradient()) + (1 - share) * 255
    assert np.abs(got - expected).max() <= 1


def test_grey_with_alpha_goes_onto_white(tmp_path):
    Image.new("LA", (2, 1), (10, 0)).save(tmp_path / "a.png")
    assert (pixels(decode(tmp_path / "a.png")) == 255).all()


@pytest.mark.parametrize("suffix", ["png", "gif"])
def test_a_transparent_palette_entry_goes_onto_white(tmp_path, suffix):
    image = Image.new("P", (4, 4), 1)
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / f"a.{suffix}", transparency=0)
    got = pixels(decode(tmp_path / f"a.{suffix}"))
    assert got[0, 0].tolist() == [255, 255, 255]
    assert got[3, 3].tolist() == [0, 0, 200]


def test_a_transparent_colour_goes_onto_white(tmp_path):
    image = Image.new("RGB", (2, 1), (9, 9, 9))
    image.putpixel((1, 0), (0, 255, 0))
    image.save(tmp_path / "a.png", transparency=(0, 255, 0))
    assert pixels(decode(tmp_path / "a.png")).tolist() == [[[9, 9, 9], [255, 255, 255]]]


def test_palettes_become_their_colours(tmp_path):
    flat = Image.new("RGB", (8, 8), (12, 200, 34))
    flat.quantize(4).save(tmp_path / "a.png")
    assert (pixels(decode(tmp_path / "a.png")) == [12, 200, 34]).all()


def test_print_colours_become_rgb(tmp_path):
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=100)
    red, green, blue = pixels(decode(tmp_path / "a.jpg"))[4, 4].astype(int)
    assert red > 240
    assert max(green, blue) < 15


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, suffix):
    levels = np.array([[0, 128, 129, 257, 30000, 65534, 65535]], np.uint16)
    Image.fromarray(levels).save(tmp_path / f"a.{suffix}")
    with Image.open(tmp_path / f"a.{suffix}") as written:
        assert written.mode.startswith("I;16")
    got = pixels(decode(tmp_path / f"a.{suffix}"))
    np.testing.assert_array_equal(got[0, :, 0], np.round(levels[0] / 257))
    assert (got == got[..., :1]).all()


def test_black_and_white_becomes_0_and_255(tmp_path):
    bits = Image.new("1", (3, 1))
    bits.putpixel((1, 0), 1)
    bits.save(tmp_path / "a.png")
    assert pixels(decode(tmp_path / "a.png"))[0, :, 0].tolist() == [0, 255, 0]


@pytest.mark.parametrize("suffix", ["gif", "webp", "png"])
def test_the_first_frame_of_an_animation_is_taken(tmp_path, suffix):
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(
        tmp_path / f"a.{suffix}", save_all=True, append_images=frames[1:], duration=50, **options
    )
    assert (pixels(decode(tmp_path / f"a.{suffix}")) == [255, 0, 0]).all()


def test_a_phones_multi_picture_jpeg_gives_its_first(tmp_path):
    red, blue = (Image.new("RGB", (16, 16), colour) for colour in ("red", "blue"))
    red.save(tmp_path / "a.mpo", save_all=True, append_images=[blue])
    (tmp_path / "a.mpo").rename(tmp_path / "a.jpg")
    assert np.abs(pixels(decode(tmp_path / "a.jpg")).astype(int) - [255, 0, 0]).max() < 5


def test_names_with_brackets_and_other_scripts_work(tmp_path):
    path = tmp_path / "[a] ünï 鳥?.png"
    gradient().save(path)
    np.testing.assert_array_equal(pixels(decode(path)), pixels(gradient()))


def refusal(path) -> str:
    with pytest.raises(UnreadableImage) as caught:
        decode(path)
    sentence = str(caught.value)
    assert str(path) in sentence
    assert "\n" not in sentence
    return sentence


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    assert "empty" in refusal(tmp_path / "a.png")


def test_a_missing_file_is_refused(tmp_path):
    assert "can't be read" in refusal(tmp_path / "a.png")


def test_a_file_that_is_no_picture_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>not found</html>")
    assert "no picture" in refusal(tmp_path / "a.jpg")


def test_other_formats_than_pictures_are_not_opened(tmp_path):
    # An EPS in disguise would be handed to Ghostscript.
    Image.new("RGB", (4, 4)).save(tmp_path / "a.eps")
    (tmp_path / "a.eps").rename(tmp_path / "a.png")
    assert "no picture" in refusal(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tiff", "gif"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    refusal(path)


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "a.png"
    gradient().save(path)
    data = bytearray(path.read_bytes())
    data[45:60] = bytes(15)
    path.write_bytes(data)
    assert "broken" in refusal(path)


def png_of_size(width: int, height: int) -> bytes:
    """A small, valid PNG header that announces any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + (chunk(b"IEND", b""))
    )


@pytest.mark.parametrize("size", [(MAX_PIXELS // 1000 + 1, 1000), (30000, 30000)])
def test_a_decompression_bomb_is_refused_unopened(tmp_path, size, recwarn):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_of_size(*size))
    assert f"{MAX_PIXELS:,}" in refusal(path)


@pytest.mark.parametrize("levels", [np.full((4, 4), 70000, np.int32), np.ones((4, 4), np.float32)])
def test_grey_levels_of_unknown_range_are_refused(tmp_path, levels):
    Image.fromarray(levels).save(tmp_path / "a.tiff")
    assert "unknown range" in refusal(tmp_path / "a.tiff")


def test_content_hash_is_that_of_the_bytes(tmp_path):
    (tmp_path / "a").write_bytes(b"pixels")
    assert content_hash(tmp_path / "a") == hashlib.sha256(b"pixels").hexdigest()


@pytest.mark.parametrize(
    ("size", "expected"), [((400, 100), (128, 32)), ((20, 10), (20, 10)), ((2000, 2), (128, 1))]
)
def test_thumbnails_fit_and_are_not_enlarged(size, expected):
    image = gradient(*size)
    with Image.open(io.BytesIO(thumbnail(image))) as small:
        assert small.size == expected
    assert image.size == size


def test_thumbnails_decode_to_the_picture():
    small = decode_bytes(thumbnail(gradient(), 48), "thumbnail")
    assert np.abs(pixels(small).astype(int) - pixels(gradient())).mean() < 6
