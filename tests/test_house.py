"""The laws of the house: the cost of an import, examples in prose, who imports whom, the build."""

import ast
import configparser
import doctest
import importlib
import importlib.metadata
import inspect
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import sksoftmax

ROOT = Path(__file__).parents[1]
PACKAGE = Path(sksoftmax.__file__).parent
PUBLIC_MODULES = [
    "sksoftmax.active",
    "sksoftmax.boosting",
    "sksoftmax.calibration",
    "sksoftmax.choice",
    "sksoftmax.comparison",
    "sksoftmax.functional",
    "sksoftmax.inference",
    "sksoftmax.linear",
    "sksoftmax.metrics",
    "sksoftmax.onnx",
    "sksoftmax.plotting",
]
HEAVY = ["lightgbm", "pandas", "polars", "matplotlib", "tqdm", "statsmodels"]
BODIES = ("baseline", "avx2", "avx512")


def pages_with_examples():
    """Pages of the documentation that hold examples, those that the build makes left out."""
    docs, built = ROOT / "docs", {"auto_examples", "generated", "templates", "_build"}
    for path in sorted(docs.rglob("*.rst")):
        page = path.relative_to(docs)
        if page.parts[0] not in built and ">>>" in path.read_text():
            yield page.as_posix()


def in_source_tree(name):
    """The file `name` of the source tree; the wheel is tested beside a few of them only."""
    path = ROOT / name
    if not path.exists():
        pytest.skip(f"{name} is not here: the suite runs outside the source tree")
    return path


def run_python(code, folder, **environment):
    """What `code` prints in a fresh interpreter, started in `folder`, warnings being errors."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- what an import costs -------------------------------------------------------------------------


def modules_added_by_import(folder):
    """Modules that `import sksoftmax` loads beyond `import sklearn.linear_model`."""
    code = (
        "import sys, sklearn.linear_model\n"
        "before = set(sys.modules)\n"
        "import sksoftmax\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    return run_python(code, folder).split()


@pytest.mark.parametrize("package", HEAVY)
def test_import_adds_no_heavy_or_optional_package(package, tmp_path):
    """scikit-learn may load some of them itself, where they are installed."""
    assert package not in modules_added_by_import(tmp_path)


def test_import_adds_few_modules_to_those_of_sklearn(tmp_path):
    others = [
        name for name in modules_added_by_import(tmp_path) if not name.startswith("sksoftmax")
    ]
    assert len(others) <= 20, others


# --- what the prose promises ----------------------------------------------------------------------


def test_the_example_of_the_readme_runs(tmp_path):
    code = re.search(r"```python\n(.*?)```", in_source_tree("README.md").read_text(), re.S)[1]
    assert len(code.splitlines()) <= 16
    printed = run_python(code, tmp_path)
    accuracy, loss = (float(x) for x in re.findall(r"(?:accuracy|log-loss) ([\d.]+)", printed))
    assert accuracy > 0.95
    assert loss < 0.2


def run_doctest(test):
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    report = []
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)


def public_objects():
    """Each public module, function and class by its full name."""
    yield "sksoftmax", sksoftmax
    yield "sksoftmax.show_kernel", sksoftmax.show_kernel
    for module_name in PUBLIC_MODULES:
        module = importlib.import_module(module_name)
        yield module_name, module
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isfunction(thing) or inspect.isclass(thing):
                yield f"{module_name}.{name}", thing


def doctests():
    """What stands in the docstring of each, and of its methods where it is a class."""
    finder = doctest.DocTestFinder(recurse=False)
    for name, thing in public_objects():
        yield from finder.find(thing, name)
        if inspect.isclass(thing):
            for method, function in vars(thing).items():
                if inspect.isfunction(function):
                    yield from finder.find(function, f"{name}.{method}")


EXAMPLES = {test.name: test for test in doctests() if test.examples}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_in_docstrings_run(name):
    run_doctest(EXAMPLES[name])


@pytest.mark.parametrize("page", list(pages_with_examples()))
def test_the_examples_in_the_documentation_run(page):
    text = in_source_tree(f"docs/{page}").read_text()
    run_doctest(doctest.DocTestParser().get_doctest(text, {}, page, page, 0))


def test_everything_public_has_an_example():
    public = [name for name, thing in public_objects() if not inspect.ismodule(thing)]

    assert [name for name in public if name not in EXAMPLES] == []


def test_the_version_is_the_same_everywhere():
    assert importlib.metadata.version("sksoftmax") == sksoftmax.__version__
    assert f"## {sksoftmax.__version__} " in in_source_tree("CHANGELOG.md").read_text()


def test_every_module_has_a_line_in_the_map_of_the_source():
    contributing = in_source_tree("CONTRIBUTING.md").read_text()
    named = set(re.findall(r"`(sksoftmax/[\w./]+?)/?`", contributing))
    modules = {
        f"sksoftmax/{path.name}"
        for path in (ROOT / "sksoftmax").iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    assert modules - named == set(), "say in CONTRIBUTING.md what they know"
    assert [name for name in named if not (ROOT / name).exists()] == []


# --- who may import whom --------------------------------------------------------------------------


def imported_by(path):
    """Absolute names that a Python file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_kernel_imports_numpy_alone():
    for path in (PACKAGE / "_kernel").glob("*.py"):
        for name in imported_by(path):
            top = name.partition(".")[0]
            allowed = top == "numpy" or top in sys.stdlib_module_names
            assert allowed or name.startswith("sksoftmax._kernel"), f"{path.name} imports {name}"


def test_the_import_law_stands_in_setup_cfg():
    law = configparser.ConfigParser()
    law.read(in_source_tree("setup.cfg"))
    floors = law["importlinter:contract:floors"]
    assert floors["type"] == "layers"
    assert floors.getboolean("exhaustive")
    assert floors["layers"].split("\n")[-1].split()[0] == "_kernel"


@pytest.mark.parametrize(
    "folder",
    [
        "tests/active",
        "tests/estimators",
        "tests/oracles",
        "tests/metrics",
        "tests/plotting",
        "examples",
    ],
)
def test_only_the_tests_of_a_floor_look_into_it(folder):
    for path in in_source_tree(folder).rglob("*.py"):
        private = [name for name in imported_by(path) if name.startswith("sksoftmax._")]
        assert not private, f"{path.relative_to(ROOT)} imports {private}"


# --- the native code ------------------------------------------------------------------------------


def isa_objects():
    """Object files compiled per instruction set, (path, body), of the builds that `make` keeps."""
    for body in BODIES:
        for path in sorted((ROOT / "build").rglob(f"CMakeFiles/*_{body}.dir/*.o")):
            if "sanitize" not in path.parts:
                yield path, body


def test_an_isa_unit_exports_its_own_table_and_no_weak_symbol():
    """The linker may keep the AVX-512 copy of a weak symbol, for every processor."""
    objects = list(isa_objects())
    if not objects or shutil.which("nm") is None:
        pytest.skip("needs nm and the object files of a build in build/")
    for path, body in objects:
        listing = subprocess.run(["nm", "-C", path], capture_output=True, text=True, check=True)
        symbols = re.findall(r"^[0-9a-f]+ (\w) (.*)$", listing.stdout, re.M)
        weak = [name for kind, name in symbols if kind in "WVu"]
        exported = [name for kind, name in symbols if kind in "TDBRi"]
        assert not weak, f"{path.name} ({body})"
        assert exported, f"{path.name} ({body}) exports nothing"
        assert all(body in name for name in exported), f"{path.name} ({body}): {exported}"


def test_fast_math_is_not_used():
    build = in_source_tree("sksoftmax/CMakeLists.txt").parent
    for path in build.rglob("CMakeLists.txt"):
        code = re.sub(r"#.*", "", path.read_text())
        assert not re.search(r"-ffast-math|-Ofast|-ffinite-math|-funsafe-math", code), path


def test_an_installed_package_ships_types_and_no_sources():
    if (PACKAGE / "CMakeLists.txt").exists():
        pytest.skip("editable install: the package is the source folder")
    assert (PACKAGE / "py.typed").exists()
    assert not [path for path in PACKAGE.rglob("*") if path.suffix in {".cpp", ".h", ".txt"}]


@pytest.mark.parametrize("body", BODIES)
def test_show_kernel_names_the_body_that_was_forced(body, tmp_path):
    from sksoftmax._kernel import kernel_info

    if body not in kernel_info()["available"]:
        pytest.skip(f"this processor does not run {body}")
    code = "import sksoftmax; sksoftmax.show_kernel()"
    printed = run_python(code, tmp_path, SKSOFTMAX_KERNEL=body)
    assert re.search(rf"^kernel: +{body}$", printed, re.M)
    assert f"sksoftmax {sksoftmax.__version__}" in printed
