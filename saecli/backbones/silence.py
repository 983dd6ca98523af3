"""Keeping the model libraries' progress bars, log lines and warnings off the user's screen."""

import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Silence logging, warnings and transformers' progress bars; restore all of it afterwards."""
    root = logging.getLogger()
    handlers, disabled = list(root.handlers), root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), _no_bars():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
        # open_clip logs through module functions, which give an unconfigured root a handler.
        for handler in set(root.handlers) - set(handlers):
            root.removeHandler(handler)


@contextmanager
def _no_bars() -> Iterator[None]:
    transformers = sys.modules.get("transformers")
    bars = transformers.utils.logging if transformers else None
    if bars is None or not bars.is_progress_bar_enabled():
        yield
        return
    bars.disable_progress_bar()
    try:
        yield
    finally:
        bars.enable_progress_bar()
