import subprocess
import sys

from sqlalchemy import func, select

from saecli.catalog.images import record_image_set
from saecli.catalog.label_history import label_history
from saecli.catalog.labels import current_labels
from saecli.catalog.profiling import store_profile
from saecli.catalog.tables import Invocation, Label
from saecli.refs import parse_concept
from tests.catalog.content import pictures, random_arrays

N_PROCESSES = 10
N_LABELS = 5

CODE = """
import sys
from saecli.catalog.labels import add_label
from saecli.catalog.opening import open_catalog
from saecli.refs import parse_concept

me, n = sys.argv[1], int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
for i in range(n):
    with open_catalog(write=True) as catalog, catalog.begin("label", [me]) as invocation:
        with catalog.writing() as session:
            add_label(session, invocation.id, parse_concept("clip:3"), f"{me} {i}", author=me)
"""


def test_ten_processes_label_while_one_profiles_and_no_row_is_lost(catalog, content):
    running = [
        subprocess.Popen(
            [sys.executable, "-c", CODE, f"author {i}", str(N_LABELS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in range(N_PROCESSES)
    ]
    for process in running:
        assert process.stdout.readline() == "ready\n"
    for process in running:  # all at once
        process.stdin.write("go\n")
        process.stdin.flush()
    few = record_image_set(catalog, content.invocation, name="few", root="/", pictures=pictures(9))
    store_profile(
        catalog,
        content.invocation,
        dictionary=content.clip,
        image_set=few,
        arrays=random_arrays(n_images=9),
        settings={},
        seconds=1.0,
    )
    for process in running:
        _, problem = process.communicate(timeout=120)
        assert (process.returncode, problem) == (0, "")

    n = N_PROCESSES * N_LABELS
    with catalog.reading() as session:
        assert session.scalar(select(func.count()).select_from(Label)) == n
        history = label_history(session, parse_concept("clip:3"))
        assert [row.status for row in history] == ["current"] + ["superseded"] * (n - 1)
        assert current_labels(session, content.clip) == {3: history[0].text}
        done = select(func.count()).where(Invocation.status == "done")
        assert session.scalar(done.where(Invocation.command == "label")) == n
