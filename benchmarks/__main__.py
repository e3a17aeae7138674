"""Measure the parts, each in a process of its own per thread setting, and write what came out."""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import PARTS, report
from benchmarks.harness import Setting

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main():
    """Run the parts asked for; 1 if one failed (a missed target is printed, it is no failure)."""
    arguments = parse()
    if arguments.measure:  # this is the measuring process
        return measure(*json.loads(arguments.measure))
    failed = [part for part in arguments.only or PARTS if not run_part(part, arguments)]
    if failed:
        print(f"\nFAILED: {', '.join(failed)}")
    return bool(failed)


def parse():
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="one part (repeatable)")
    parser.add_argument(
        "--quick", action="store_true", help="small problems; docs/performance.md is left alone"
    )
    parser.add_argument(
        "--long", action="store_true", help="boosting with more classes and patience: hours"
    )
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_part(name, arguments):
    """Measure one part at each of its thread settings, print it, write it down; True if well."""
    part = importlib.import_module(f"benchmarks.{name}")
    size = "quick" if arguments.quick else "full"
    if arguments.long and name.startswith("boosting"):
        size = "long"
    print(f"\n# {part.TITLE}\n", flush=True)
    tables, found, start = {}, {}, time.perf_counter()
    for n_threads in part.THREADS:
        table = measure_in_new_process(name, Setting(n_threads, size, found))
        if table is None:
            return False
        tables[n_threads], found = table, table.found
        notes = "\n".join(f"- {note}" for note in table.notes)
        print(f"threads = {n_threads}\n\n{table.markdown()}\n{notes}\n", flush=True)
    n_met = sum(table.n_met for table in tables.values())
    n_promised = sum(table.n_promised for table in tables.values())
    print(f"{n_met} of {n_promised} targets met, {time.perf_counter() - start:.0f} s", flush=True)
    if size != "quick":
        options = " LONG=1" if size == "long" else ""
        section = report.section(name, part.TITLE, part.WHAT, tables, options)
        report.write(name, section, PARTS)
        print(f"written to {report.PAGE}")
    return True


def measure_in_new_process(name, setting):
    """The part's `Table`, measured where the thread limits were set before any import; or None."""
    limits = {variable: str(setting.n_threads) for variable in THREAD_VARIABLES}
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "table.json")
        task = json.dumps([name, vars(setting), str(result)])
        command = [sys.executable, "-m", "benchmarks", "--measure", task]
        subprocess.run(command, env=os.environ | limits, cwd=Path(__file__).parents[1], check=False)
        return report.Table(**json.loads(result.read_text())) if result.exists() else None


def measure(name, setting, result):
    """The measuring process: run the part, hand the table over as JSON."""
    table = importlib.import_module(f"benchmarks.{name}").run(Setting(**setting))
    table.environment = report.environment()
    Path(result).write_text(json.dumps(table.to_dict()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
