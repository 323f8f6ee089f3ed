"""The package imports fast, names what it has, and works however it is installed."""

import importlib
import operator
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from packaging.version import Version

import explain
import reports
from reports.languages import DOMAINS
from tests.helpers.documentation import READMES

ROOT = Path(__file__).parents[2]


def python(code: str, cwd: Path | None = None, path: str | None = None) -> str:
    """Return what a fresh interpreter prints."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if path is not None:
        environment["PYTHONPATH"] = path
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_importing_explain_loads_nothing_heavy() -> None:
    code = "import sys, explain; print({'torch', 'numpy', 'shap', 'pydantic'} & set(sys.modules))"
    assert python(code).strip() == "set()"


def test_importing_the_adapters_loads_neither_torch_nor_scikit_learn() -> None:
    code = "import sys, explain.adapters; print({'torch', 'sklearn'} & set(sys.modules))"
    assert python(code).strip() == "set()"


def test_importing_reports_loads_no_numpy_even_when_it_renders() -> None:
    code = (
        "import sys, reports, explain.record as r; "
        "a = r.Attribution(parts=('a',), spans=((0, 0, 1),), "
        "target=r.Target(label='x', index=0, scale='value'), method='shap', "
        "method_title='SHAP', parameters={}, removal='delete', values=(1.0,), "
        "empty_value=0.0, full_value=1.0, efficient=True, evaluations=2, seed=0); "
        "assert '<html' in reports.render_html(a); "
        "print({'torch', 'numpy'} & set(sys.modules))"
    )
    assert python(code).strip() == "set()"


def test_every_public_name_is_there() -> None:
    for module in (explain, reports, importlib.import_module("explain.adapters")):
        assert all(hasattr(module, name) for name in module.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        operator.attrgetter("nonsense")(explain)
    assert set(explain.__all__) == set(dir(explain))


def test_public_functions_are_not_hidden_by_modules_of_a_similar_name() -> None:
    importlib.import_module("explain.auditing")
    importlib.import_module("explain.attribution")
    assert callable(explain.audit)
    assert callable(explain.attribute)


def test_the_newest_release_in_the_changelog_is_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\d\S+) - \d{4}-\d\d-\d\d$", text, re.MULTILINE)
    assert versions == sorted(versions, key=Version, reverse=True)
    assert versions[0] == explain.__version__


def test_a_foreign_package_called_reports_is_named(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/__init__.py").write_text("")
    code = (
        "from explain.record.own_reports import require_own_reports\n"
        "from explain.errors import ExplainError\n"
        "try: require_own_reports()\n"
        "except ExplainError as error: print(error)"
    )
    assert "belongs to no distribution, not to explain-audit" in python(
        code, cwd=tmp_path, path=str(ROOT)
    )


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the sdist and the wheel made of it."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
        check=True,
        capture_output=True,
    )
    return out


RENDER = """
import sys
from pathlib import Path
import reports
from explain.auditing.archive import read_record
sys.stdout.write(reports.render_html(read_record(Path(sys.argv[1]))))
"""


def render_elsewhere(install: Path | None, record: Path, cwd: Path) -> str:
    """Return the page that an installation renders, run from another folder."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    if install is not None:
        environment["PYTHONPATH"] = str(install)
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(record)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_wheel_sdist_and_editable_install_render_the_golden_file(
    distributions: Path, tmp_path: Path
) -> None:
    from tests.helpers import records

    record = tmp_path / "audit.json"
    sample = records.audit_record()
    record.write_text(sample.to_json())
    expected = reports.render_html(sample)
    (wheel,) = distributions.glob("*.whl")
    (sdist,) = distributions.glob("*.tar.gz")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target",
         str(tmp_path / "wheel"), str(wheel)],
        check=True,
    )  # fmt: skip
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "sdist", filter="data")
    (unpacked,) = (tmp_path / "sdist").iterdir()
    for install in (tmp_path / "wheel", unpacked, ROOT):
        assert render_elsewhere(install, record, tmp_path) == expected


def test_the_wheel_holds_templates_and_demo_and_stays_small(distributions: Path) -> None:
    import zipfile

    (wheel,) = distributions.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        packages = {name.partition("/")[0] for name in names}
        demo = sum(
            i.compress_size for i in archive.infolist() if i.filename.startswith("explain/demo")
        )
    assert {"reports/templates/audit.html", "explain/demo/messages.csv"} <= names
    catalogues = {f"reports/languages/zh_CN/LC_MESSAGES/{name}.po" for name in DOMAINS}
    assert catalogues <= names
    assert packages == {"explain", "reports", f"explain_audit-{explain.__version__}.dist-info"}
    assert demo <= 3 * 2**20


def named_in_texts() -> set[str]:
    """Return the names under `explain` that docstrings and documents put in backquotes."""
    documents = [*READMES, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md"]
    documents += [*(ROOT / "docs").rglob("*.md")]
    documents += [path for room in ("explain", "reports") for path in (ROOT / room).rglob("*.py")]
    texts = [path.read_text(encoding="utf-8") for path in documents]
    return {name for text in texts for name in re.findall(r"`(explain(?:\.\w+)+)`", text)}


@pytest.mark.parametrize("name", sorted(named_in_texts()))
def test_what_a_text_names_is_there(name: str) -> None:
    found: object = explain
    path = "explain"
    for step in name.split(".")[1:]:
        path = f"{path}.{step}"
        found = getattr(found, step) if hasattr(found, step) else importlib.import_module(path)


def test_tables_and_folders_are_where_code_of_users_imports_them() -> None:
    code = (
        "from explain.archive import read_record, write_audit\n"
        "from explain.dataset import read_dataset\n"
        "print(len(read_dataset([{'text': 'good'}], text='text').rows))"
    )
    assert python(code).strip() == "1"
