"""The zoo's benchmark: every row that tells classes apart gets the same short training, and is then measured.

``python -m tests.bench.zoo [--train-only] [--page-only] [NAME ...]`` trains what has not been trained by today's
recipe, builds and emulates the int8 networks, and writes ``tests/bench/zoo.json``, ``docs/zoo-benchmark.md`` and its
picture. Each row is kept as soon as it is finished, so that an interrupted run goes on where it stopped; the networks
lie in ``build/zoo``. It needs the data sets beside the checkout, TensorFlow, a GCC for Cortex-M and Unicorn.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.zoo_page import write_page
from tests.bench.zoo_rows import (
    CONTESTS,
    RESULTS,
    Measured,
    Row,
    Settings,
    contest_of,
    contestants,
    put_row,
    read_rows,
    with_measured,
)
from tests.bench.zoo_training import FOLDERS, data_is_there, load_data, train
from tests.support.shared import REPOSITORY, shared_dir
from tinyml.errors import DoesNotFitError, TinymlError
from tinyml.files import write_file
from tinyml.models.catalog import Entry, find_entry
from tinyml.models.counting import count_macs, count_parameters
from tinyml.pipeline import Options, build
from tinyml.sources import ModelSource
from tinyml.tflite.quiet import import_keras, import_tensorflow

NETWORKS = Path("build") / "zoo"
CORTEX_M4F = ("nano33ble", "mps2-an386")
"""The board that rows are measured for; where one does not fit, the same core with more memory."""


def train_row(entry: Entry, settings: Settings, networks: Path) -> Row:
    """Train and convert one row; its int8 network is kept in ``networks``."""
    data = load_data(entry, settings)
    trained = train(entry, data, settings)
    scores = trained.quantised.int8_scores
    write_file(networks / f"{entry.name}.tflite", trained.quantised.content)
    return Row(
        name=entry.name,
        contest=contest_of(entry),
        recipe=settings.digest(entry),
        input_shape=tuple(data.plain.codes.shape[1:]),
        parameters=count_parameters(trained.model),
        macs=count_macs(trained.model),
        float_accuracy=round(trained.quantised.float_scores.value, 5),
        int8_accuracy=round(scores.value, 5),
        test_examples=scores.examples,
        model_sha256=trained.quantised.sha256,
    )


def measure(name: str, content: bytes, commit: str) -> Measured:
    """Flash and SRAM of the benchmark firmware, and the instructions of one inference, proven equal to LiteRT's bytes.

    Raises:
        DoesNotFitError: not even the roomy board holds it.
        MismatchError: a byte differs.
    """
    source = ModelSource(name, content, f"{name} of the zoo's benchmark")
    options = Options(inputs=2, emulator="unicorn", toolchain="gcc")
    for board in CORTEX_M4F:
        try:
            with tempfile.TemporaryDirectory(prefix="tinyml-zoo-") as scratch:
                result = build(source, board, Path(scratch) / "project", options)
        except DoesNotFitError:
            if board == CORTEX_M4F[-1]:
                raise
            continue
        break
    assert result.emulation is not None and result.emulation.instructions is not None
    used = dict.fromkeys(("flash", "ram"), 0)
    for region in result.check.budget.regions:
        used[region.kind] += region.used_bytes
    return Measured(board, used["flash"], used["ram"], result.emulation.instructions, commit)


def commit_now() -> str:
    """The checkout's commit, abbreviated; empty where there is no git."""
    try:
        command = ["git", "rev-parse", "--short=12", "HEAD"]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def kept_network(row: Row | None, entry: Entry, settings: Settings, networks: Path) -> bytes | None:
    """The int8 network that an earlier run trained by the same recipe, or None."""
    path = networks / f"{entry.name}.tflite"
    if row is None or row.recipe != settings.digest(entry) or not path.is_file():
        return None
    content = path.read_bytes()
    return content if hashlib.sha256(content).hexdigest() == row.model_sha256 else None


def run(
    entries: list[Entry],
    settings: Settings,
    *,
    train_only: bool = False,
    results: Path = RESULTS,
    networks: Path = NETWORKS,
) -> list[str]:
    """Bring the rows of ``entries`` up to date; the names of those that failed."""
    failed = []
    commit = commit_now()
    for number, entry in enumerate(entries, 1):
        started, cpu = time.monotonic(), time.process_time()
        try:
            row = read_rows(results).get(entry.name)
            content = kept_network(row, entry, settings, networks)
            if row is None or content is None:
                row = train_row(entry, settings, networks)
                content = (networks / f"{entry.name}.tflite").read_bytes()
                put_row(row, settings, results)
                import_keras().backend.clear_session()
            if not train_only and (row.measured is None or row.measured.commit != commit):
                row = with_measured(row, measure(entry.name, content, commit))
                put_row(row, settings, results)
        except TinymlError as error:
            failed.append(entry.name)
            print(f"{entry.name}: {error.message}", file=sys.stderr)
            continue
        seconds, used = time.monotonic() - started, time.process_time() - cpu
        print(
            f"{number} of {len(entries)}: {entry.name} {100 * row.int8_accuracy:.1f} %,"
            f" {seconds:.0f} s ({used:.0f} s of a core)",
            file=sys.stderr,
            flush=True,
        )
    return failed


def main() -> int:
    """Train, measure and write what the command line asks for, everything by default."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.zoo", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows of the catalogue, all by default")
    parser.add_argument("--train-only", action="store_true", help="build and emulate nothing")
    parser.add_argument("--page-only", action="store_true", help="write the page of what is kept")
    arguments = parser.parse_args()
    failed: list[str] = []
    if not arguments.page_only:
        wanted = {find_entry(name).name for name in arguments.names}
        entries = [entry for entry in contestants() if not wanted or entry.name in wanted]
        for contest in dict.fromkeys(CONTESTS.values()):
            if not data_is_there(contest):
                place = shared_dir() / "data" / FOLDERS[contest]
                print(f"there is no {place}: rows of the {contest} stay as they are kept", file=sys.stderr)
                entries = [entry for entry in entries if contest_of(entry) != contest]
        if entries:
            # tracing, not the steps, is what takes time here, and most of tracing is Grappler
            import_tensorflow().config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
        failed = run(entries, Settings(), train_only=arguments.train_only)
    write_page()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
