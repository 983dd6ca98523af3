"""Two processes that train together end where one alone does."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from saecli.errors import SaecliError
from saecli.sae.checkpoints import load, save
from saecli.sae.metrics import evaluate
from saecli.sae.run import Run
from saecli.sae.trainer import train_together
from tests.recorded import sparse_sums
from tests.sae.test_trainer import IDENT, OTHERS, SHORT

ROOT = Path(__file__).parents[2]
SWEEP = [SHORT, *OTHERS]

RANK = """
import sys
from pathlib import Path
import torch.distributed as dist
from tests.sae.test_ranks import one_of_two
rank, folder = int(sys.argv[1]), Path(sys.argv[2])
dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
one_of_two(rank, folder)
dist.destroy_process_group()
"""


class CountingReads:
    """A stream's source that notes how many patches were handed out."""

    def __init__(self, source):
        self._source = source
        self.n_read = 0

    def __getattr__(self, name):
        return getattr(self._source, name)

    def shuffled(self, *args):
        stream, counter = self._source.shuffled(*args), self
        draw = stream.draw

        def counted(n, share=(0, 1)):
            found = draw(n, share)
            counter.n_read += len(found)
            return found

        stream.draw = counted
        return stream


def one_of_two(rank: int, folder: Path) -> None:
    from saecli.sae.ranks import Together

    ranks = Together(rank, 2)
    gathered = ranks.gather(torch.arange(rank + 2.0))
    assert gathered.tolist() == [0, 1, 0, 1, 2]
    source = CountingReads(sparse_sums())
    results = train_together(source, SWEEP, IDENT, ranks=ranks, state=folder / "a.state")
    assert len(results) == (0 if rank else len(SWEEP))
    for number, result in enumerate(results):
        save(result.dictionary, folder / f"{number}.safetensors")
    (folder / f"read {rank}").write_text(str(source.n_read))


@pytest.mark.slow
def test_two_ranks_end_where_one_does_each_reading_half(tmp_path):
    ranks = [
        subprocess.Popen(
            [sys.executable, "-c", RANK, str(rank), str(tmp_path)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]
    source = sparse_sums()
    expected = train_together(source, SWEEP, IDENT)
    assert [rank.wait(timeout=600) for rank in ranks] == [0, 0]
    x = torch.cat([batch for _, batch in source.batches(60)])
    for number, one in enumerate(expected):
        two = load(tmp_path / f"{number}.safetensors")
        alone = evaluate(one.dictionary, [x])
        together = evaluate(two, [x])
        assert together.explained_variance == pytest.approx(alone.explained_variance, abs=2e-3)
        assert together.l0 == pytest.approx(alone.l0, rel=0.02)
        torch.testing.assert_close(two.mean, one.dictionary.mean, rtol=1e-5, atol=1e-5)
    n_sample, n_steps = 57 * 16, 40
    for rank in range(2):
        assert int((tmp_path / f"read {rank}").read_text()) == (n_sample + 128 * n_steps) // 2


def test_a_batch_must_have_equal_shares():
    class Three:
        rank, size = 0, 3

    with pytest.raises(SaecliError, match="no 3 equal shares") as raised:
        Run(sparse_sums(), [replace(SHORT, batch=128)], IDENT, "cpu", "float32", Three())
    assert raised.value.usage
