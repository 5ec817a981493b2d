"""What must not creep in: imports against the current, heavy imports, files nobody mapped, public things nobody explained."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "vat").rglob("*.py"))
FOUNDATION = {"types", "errors", "settings", "files", "shares", "__init__"}
STAGES = ["theory", "data", "models", "elicit", "generate", "intensity", "align"]
"""In the order of the data; a stage may import the protocols of those before it."""
ALLOWED = {
    "measure": {"measure"},
    "track": {"track"},
    "analyse": {"analyse", "measure", "track", "theory"},
    "programs": {*STAGES, "measure", "track", "analyse", "programs", "config", "config_texts", "nodes"},
    "fanout": {"models", "align", "programs", "track", "analyse", "fanout", "config", "config_texts", "nodes"},
}
PUBLIC_OF_A_STAGE = {"base", "question", "schwartz", "split", "file", "wording", "refusals", "desk", "anchors"}
WITH_SETTINGS = {"base", "standard"}
"""The modules of `measure` that the main program sees; the others are useful with numpy and scipy alone."""
NUMERIC = [
    "vat.measure",
    *(f"vat.measure.{path.stem}" for path in SOURCES if path.parent.name == "measure" and path.stem not in {*WITH_SETTINGS, "__init__"}),
]
RECIPE = ROOT / "vat" / "models" / "tiny"
"""The offline recipe of the embedded model writes about its own data source and may know it whole."""


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    guarded = {node for test in ast.walk(tree) if isinstance(test, ast.If) and "TYPE_CHECKING" in ast.dump(test.test) for node in ast.walk(test)}
    found = set()
    for node in ast.walk(tree):
        if node in guarded:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path: Path) -> None:
    place = path.relative_to(ROOT / "vat").parts
    for module in imports(path):
        parts = module.split(".")
        if parts[0] != "vat" or len(parts) == 1 or parts[1] in FOUNDATION or len(place) == 1 or path.is_relative_to(RECIPE):
            continue
        stage, other = place[0], parts[1]
        if stage in STAGES and other in STAGES:
            assert STAGES.index(other) <= STAGES.index(stage), f"{path} imports {module}, which comes later"
            assert other == stage or parts[2] in PUBLIC_OF_A_STAGE, f"{path} imports {module}, which is not a protocol"
        else:
            assert other in ALLOWED.get(stage, set()), f"{path} imports {module}"


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("vat.config", {"torch", "ray", "mlflow", "transformers", "hydra", "pandas", "scipy", "numpy"}),
        ("vat.fanout.launcher", {"torch", "ray", "mlflow", "transformers", "pandas", "scipy", "numpy", "pydantic"}),
        ("vat.theory.schwartz", {"torch", "ray", "mlflow", "transformers", "hydra", "pandas", "scipy"}),
    ],
)
def test_a_module_loads_no_more_than_it_needs(module: str, absent: set[str]) -> None:
    assert not loaded(module) & absent


def loaded(*modules: str) -> set[str]:
    """The packages in a fresh process after these imports."""
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {name.split(".")[0] for name in said.split()}


@pytest.fixture(scope="module")
def together() -> set[str]:
    """What the numeric modules load between them: one process, as long as it is light."""
    return loaded(*NUMERIC)


@pytest.mark.parametrize("module", NUMERIC)
def test_what_is_measured_is_useful_with_numpy_and_scipy_alone(module: str, together: set[str]) -> None:
    heavy = {"torch", "ray", "mlflow", "transformers", "hydra", "omegaconf", "pandas", "pydantic", "yaml", "matplotlib", "numba"}
    assert "numpy" in together
    assert not together & heavy or not loaded(module) & heavy


def test_the_readme_maps_every_file_in_one_line() -> None:
    readme = (ROOT / "README.md").read_text()
    lines = re.findall(r"^\s*- `([^`]+)`", readme, re.M)
    assert len(mapped := set(lines)) == len(lines), f"mapped twice: {sorted({entry for entry in lines if lines.count(entry) > 1})}"
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    wanted = {file for file in files if file.startswith("vat/") and file.endswith((".py", ".yaml")) and not file.endswith("__init__.py")}
    wanted |= {file for file in files if file.startswith(("conf/", "hydra_plugins/", "benchmarks/")) or file == "launch.py"}
    assert not wanted - mapped, "not in the README"
    assert not {entry for entry in mapped if "/" in entry and not entry.endswith("/")} - set(files), "in the README, but not there"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_public_function_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module opens by saying what it is for"
    places = [tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    for node in (node for place in places for node in place.body):  # a function within a function is nobody else's
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            assert ast.get_docstring(node), f"{path}: {node.name}"


@pytest.mark.parametrize("path", sorted((ROOT / "vat" / "measure").glob("*.py")), ids=lambda path: path.name)
def test_every_measure_names_its_source_and_where_it_differs(path: Path) -> None:
    for node in ast.parse(path.read_text()).body:
        text = ast.get_docstring(node) or "" if isinstance(node, ast.FunctionDef) else ""
        if "Args:" in text:
            assert "Source:" in text, node
            assert "Differs:" in text, node


def test_the_entry_point_stays_small() -> None:
    assert len((ROOT / "launch.py").read_text().splitlines()) <= 60


def test_nothing_of_vat_runs_foreign_code() -> None:
    for path in SOURCES:
        text = path.read_text()
        assert "trust_remote_code=True" not in text, path
        assert not re.search(r"\bpickle\b|\beval\(|\bexec\(|torch\.load\(", re.sub(r"\.eval\(\)", "", text)), path
