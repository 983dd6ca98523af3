"""What the libraries say while loading stays off the screen, and their settings come back."""

import logging
import warnings

import pytest

from saecli.backbones import load
from saecli.backbones.silence import quiet


@pytest.mark.parametrize("family", ["clip", "dinov2"])
def test_loading_prints_nothing(family, request, capfd):
    folder = request.getfixturevalue(f"tiny_{family}_folder")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load(f"{family}:{folder}", device="cpu")
    assert capfd.readouterr() == ("", "")


def test_settings_come_back_even_after_a_failure():
    from transformers.utils import logging as bars

    bars.enable_progress_bar()
    root = logging.getLogger()
    before = (list(root.handlers), root.manager.disable, list(warnings.filters))

    def fail_quietly() -> None:
        with quiet():
            assert not bars.is_progress_bar_enabled()
            logging.info("an unconfigured root would get a handler here")
            warnings.warn("unheard", stacklevel=1)
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail_quietly()
    assert bars.is_progress_bar_enabled()
    assert (list(root.handlers), root.manager.disable, list(warnings.filters)) == before


def test_a_bar_that_was_off_stays_off():
    from transformers.utils import logging as bars

    bars.disable_progress_bar()
    try:
        with quiet():
            pass
        assert not bars.is_progress_bar_enabled()
    finally:
        bars.enable_progress_bar()
