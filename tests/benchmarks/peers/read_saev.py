"""saev's reading: its `Dataset` behind PyTorch's shuffling loader, as its trainer has it.

python read_saev.py FOLDER BATCHES     # prints patches a second, of wall and of CPU time
"""

import json
import sys
import time
from itertools import islice

import torch
from saev import activations, config

BATCH = 2048


def main() -> None:
    torch.set_num_threads(1)
    folder, n_batches = sys.argv[1], int(sys.argv[2])
    chosen = config.DataLoad(shard_root=folder, layer=0, scale_mean=False, scale_norm=False)
    loader = torch.utils.data.DataLoader(
        activations.Dataset(chosen), batch_size=BATCH, num_workers=0, shuffle=True
    )
    wall, cpu = time.perf_counter(), time.process_time()
    n = sum(len(batch["act"]) for batch in islice(loader, n_batches))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"wall": n / wall, "cpu": n / cpu}))


main()
