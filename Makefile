# Each target creates what it needs on a machine with Python 3.11+, make and a C++ compiler (GCC 12+, Clang).
# Stamps under .venv/ make repeated calls fast; a change of the native sources or of pyproject.toml rebuilds.
#
# Variables: PYTHON=python3.12   the interpreter of new environments
#            WERROR=ON           compiler warnings are errors (.ci/run sets it)
#            ARGS="-k softmax"   passed on to pytest
#            ONLY=name QUICK=1   one part of the benchmarks, in a minute; LONG=1: boosting, in hours

PYTHON ?= python3
WERROR ?= OFF
WORKERS ?= 2
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
SANITIZE := .venv-sanitize
# An editable install lists the modules it found: one that came, went or moved is a reason to install again.
MODULES := build/modules.txt
$(shell mkdir -p build && find sksoftmax -name '*.py' | sort > $(MODULES).new && \
    { cmp -s $(MODULES).new $(MODULES) || cp $(MODULES).new $(MODULES); } && rm $(MODULES).new)
NATIVE := $(shell find sksoftmax -path '*/native/*' -type f) sksoftmax/CMakeLists.txt
PIP := -m pip install --quiet --disable-pip-version-check

# The requirements of one extra, read from pyproject.toml: adding an extra does not rebuild the package.
extra = $(1)/bin/python -c 'import tomllib; \
	project = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
	print(*project["optional-dependencies"]["$(2)"], sep="\n")' > $(1)/$(2).txt \
	&& $(1)/bin/python $(PIP) -r $(1)/$(2).txt

.PHONY: help demo install test lint docs bench sanitize wheel wheel-test test-oldest clean
.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

demo: $(VENV)/installed $(VENV)/plot.installed  ## build, install into .venv, fit real data, print what it found
	$(BIN)/python examples/plot_quickstart.py

install: $(VENV)/installed  ## build and install into .venv, editable

test: $(VENV)/installed $(VENV)/test.installed  ## install the test extras and run the suite
	$(BIN)/pytest -n $(WORKERS) $(ARGS)

lint: $(VENV)/installed $(VENV)/lint.installed  ## ruff, mypy, import laws, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/codespell

docs: $(VENV)/installed $(VENV)/docs.installed  ## build the documentation, warnings are errors
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

bench: $(BENCH)/installed $(BENCH)/bench.installed  ## compare with the peers: ONLY=name QUICK=1 for one part
	$(BENCH)/bin/python -m benchmarks $(addprefix --only ,$(ONLY)) $(if $(QUICK),--quick) $(if $(LONG),--long)

# --- the native code under AddressSanitizer and UndefinedBehaviorSanitizer ---------------------------------------------
# Python itself is not instrumented, so the runtimes are preloaded; libstdc++ with them, because ASan looks for
# __cxa_throw when it starts. Leaks are not looked for: the interpreter leaks by design at exit.
# The suite runs from a copy: from here, `import sksoftmax` could find the source folder without its extensions.
# The floors' own tests, on the best body: the other bodies are the same source. Above them no pointer is native.
SANITIZED_TESTS := $(patsubst %/,%,$(wildcard $(addprefix tests/, \
    kernel/ objective/ choice/test_objective.py solvers/test_temperature.py trees/ test_functional*.py)))
OTHER_BODIES := --ignore-glob='*/test_*isa.py'
runtime = $$(realpath $$($${CXX:-g++} -print-file-name=$(1)))

sanitize: $(SANITIZE)/installed $(SANITIZE)/test.installed  ## native code under ASan + UBSan, tests that reach it
	rm -rf build/sanitize-suite && mkdir -p build/sanitize-suite
	cp -r tests pyproject.toml build/sanitize-suite
	cd build/sanitize-suite && \
	export LD_PRELOAD="$(call runtime,libasan.so) $(call runtime,libubsan.so) $(call runtime,libstdc++.so)" \
	       ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 \
	       UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 \
	       PYTHONMALLOC=malloc && \
	../../$(SANITIZE)/bin/pytest -p no:faulthandler -n $(WORKERS) $(SANITIZED_TESTS) $(OTHER_BODIES) $(ARGS)

# --- the wheel as users get it: from the sdist, in a clean environment, outside the source tree ---------------------------
# With Python 3.12 or later it is one wheel for all later ones (abi3), with 3.11 a wheel for 3.11.
SDIST := build/sdist
WHEELS := build/wheels
# $(call elsewhere,an environment,options of pytest): the suite against what is installed there, far from the source tree
elsewhere = folder=$$(mktemp -d) && trap 'rm -rf "$$folder"' EXIT && environment=$$(realpath $(1)) && \
	cp -r tests examples docs README.md pyproject.toml "$$folder" && cd "$$folder" && \
	"$$environment/bin/pytest" -n $(WORKERS) $(2) $(ARGS)

wheel: $(VENV)/wheel.installed  ## an sdist, and from it a wheel that runs on other Linux machines
	rm -rf $(SDIST) $(WHEELS) build/unrepaired
	$(BIN)/python -m build --sdist --outdir $(SDIST) .
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir build/unrepaired $(SDIST)/*.tar.gz
	PATH="$(realpath .)/$(BIN):$$PATH" $(BIN)/auditwheel repair --wheel-dir $(WHEELS) build/unrepaired/*.whl
	$(BIN)/twine check --strict $(SDIST)/* $(WHEELS)/*
	case $$(echo $(WHEELS)/*.whl) in (*-abi3-*) $(BIN)/abi3audit --strict $(WHEELS)/*.whl;; esac

wheel-test: wheel  ## install the wheel in a clean environment and run the suite there
	rm -rf .venv-wheel && $(PYTHON) -m venv .venv-wheel
	.venv-wheel/bin/python $(PIP) "$$(echo $(WHEELS)/*.whl)[test]"
	$(call elsewhere,.venv-wheel)

test-oldest: wheel  ## the suite with the oldest dependencies that pyproject.toml allows
	rm -rf .venv-oldest && $(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/python -c "$$lowest" > .venv-oldest/lowest.txt
	.venv-oldest/bin/python $(PIP) -r .venv-oldest/lowest.txt
	.venv-oldest/bin/python $(PIP) --no-deps $(WHEELS)/*.whl
	$(call elsewhere,.venv-oldest,-W ignore::DeprecationWarning -W ignore::FutureWarning)  # among old packages

# Prints the lower bound of each dependency, and of those of the tests, as the one version to install.
define lowest
import re, tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
number = lambda version: [int(part) for part in version.split(".")]
lowest = {}
for requirement in project["dependencies"] + project["optional-dependencies"]["test"]:
    name, version = re.fullmatch(r"([\w-]+)>=([\d.]+)", requirement).groups()
    lowest[name] = max(version, lowest.get(name, version), key=number)
print(*(f"{name}=={version}" for name, version in lowest.items()), sep="\n")
endef
export lowest

clean:  ## remove environments, builds and caches
	rm -rf $(VENV) $(BENCH) $(SANITIZE) .venv-wheel .venv-oldest build dist docs/_build docs/auto_examples docs/generated
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

# --- environments ---------------------------------------------------------------------------------------------------------
# $(call environment,folder,options of the install)
define environment
$(1)/made:
	@$$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
	    "sksoftmax needs Python 3.11 or later; name one: make PYTHON=python3.12 ...")'
	$$(PYTHON) -m venv $(1)
	@touch $$@

$(1)/installed: $$(NATIVE) $$(MODULES) pyproject.toml | $(1)/made
	@echo "building the native kernel: some minutes on a small machine"
	$(1)/bin/python $$(PIP) $(2)
	@touch $$@

$(1)/%.installed: pyproject.toml | $(1)/made
	$$(call extra,$(1),$$*)
	@touch $$@
endef

setting = --config-settings=$(1)
WARNINGS := $(call setting,cmake.define.SKSOFTMAX_WERROR=$(WERROR))

$(eval $(call environment,$(VENV),--editable . $(call setting,build-dir=build/editable) $(WARNINGS)))
$(eval $(call environment,$(BENCH),--editable . $(call setting,build-dir=build/bench) $(WARNINGS)))
$(eval $(call environment,$(SANITIZE),. $(call setting,build-dir=build/sanitize) \
    $(call setting,cmake.define.SKSOFTMAX_SANITIZE=ON) $(call setting,install.strip=false)))
