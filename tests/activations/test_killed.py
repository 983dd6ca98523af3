"""A recording killed at any moment goes on and ends with the bytes of one that wasn't."""

import os
import random
import signal
import time

import pytest

from saecli.activations.verifying import verify_store
from tests.activations.test_stored import files_of, record

KILLS = 20


@pytest.mark.slow
def test_a_recording_killed_again_and_again_ends_with_the_same_bytes(tiny, folder, tmp_path):
    record(tiny, folder, tmp_path / "first", shard_bytes=1)  # what is loaded once is loaded
    started = time.monotonic()
    record(tiny, folder, tmp_path / "whole", shard_bytes=1)  # a shard for each picture
    whole = time.monotonic() - started
    moments = random.Random(0)
    killed = 0
    store = tmp_path / "store"
    for _ in range(KILLS):
        child = os.fork()
        if not child:
            try:
                record(tiny, folder, store, shard_bytes=1)
            finally:
                os._exit(0)
        time.sleep(moments.uniform(0, whole))
        os.kill(child, signal.SIGKILL)
        killed += os.WIFSIGNALED(os.waitpid(child, 0)[1])
        if (store / "manifest.json").exists():
            assert not verify_store(store).problems
    record(tiny, folder, store, shard_bytes=1)
    assert killed
    assert files_of(store) == files_of(tmp_path / "whole")
