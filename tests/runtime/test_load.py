"""Where handlers' code comes from: inline, imported files, archives, pickles as Snowpark's client writes them."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pandas
import pyarrow as pa
import pytest
from snowflake.snowpark._internal.udf_utils import generate_python_code
from snowflake.snowpark._internal.utils import TempObjectType

from polynya.errors import SnowflakeError
from polynya.runtime.handler import Handler, ImportFile, Job
from polynya.runtime.pool import Pool
from polynya.types.sqltype import VARCHAR
from tests.runtime.handlers import batch, handler, whole


def files(folder: Path, **texts: str) -> tuple[ImportFile, ...]:
    """Import files: ``name__ext`` is name.ext; archives hold one module."""
    made = []
    for key, text in texts.items():
        name = key.replace("__", ".")
        path = folder / f"content-{name}"
        if name.endswith((".zip", ".whl")):
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr(f"{name.split('.')[0]}.py", text)
                archive.writestr("package/__init__.py", "")
                archive.writestr("package/inner.py", text)
        else:
            path.write_text(text)
        made.append(ImportFile(name, path))
    return tuple(made)


def one(pool: Pool, made: Handler, value: int = 1) -> Any:
    return pool.apply(made, whole(value), Job())[0].as_py()


def test_modules_from_imports(pool: Pool, tmp_path: Path) -> None:
    code = "class C:\n    @staticmethod\n    def g(x): return x + 20\ndef f(x): return x + 10"
    imports = files(tmp_path, mod__py=code, packed__zip=code, wheel__whl=code)
    assert one(pool, handler("", "mod.f", imports=imports)) == 11
    assert one(pool, handler("", "mod.C.g", imports=imports)) == 21
    assert one(pool, handler("", "packed.f", imports=imports)) == 11
    assert one(pool, handler("", "package.inner.f", imports=imports)) == 11
    assert one(pool, handler("from packed import f as g\ndef f(x): return g(x) + 1", imports=imports)) == 12
    assert one(pool, handler("import mod", "mod.f", imports=imports)) == 11


def test_the_import_directory(pool: Pool, tmp_path: Path) -> None:
    body = """
import sys, os
def f():
    folder = sys._xoptions['snowflake_import_directory']
    with open(folder + 'data.txt') as file:
        return file.read() + str(sorted(os.listdir(folder))) + str(folder.endswith(os.sep))
"""
    imports = files(tmp_path, data__txt="text", other__csv="1", b__gz="")
    shown = handler(body, takes=(), returns=VARCHAR, imports=imports)
    assert pool.apply(shown, whole(0), Job())[0].as_py() == "text['b.gz', 'data.txt', 'other.csv']True"


def test_names_of_imports(pool: Pool, tmp_path: Path) -> None:
    body = "import sys\ndef f():\n    with open(sys._xoptions['snowflake_import_directory'] + 'a/b.txt') as file: return file.read()"
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text("first")
    second.write_text("second")
    twice = (ImportFile("a/b.txt", first), ImportFile("a/b.txt", second))
    made = handler(body, takes=(), returns=VARCHAR, imports=twice)
    assert pool.apply(made, whole(0), Job())[0].as_py() == "second"
    assert first.read_text() == "first"
    for name in ("../b.txt", "/etc/b.txt", "", "."):
        with pytest.raises(SnowflakeError, match="An import cannot have the name"):
            one(pool, handler(body, imports=(ImportFile(name, first),)))


def test_imports_extend_snowflakes_own_package(pool: Pool, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("snowflake/", "")  # as Snowpark's client writes namespaces
        archive.writestr("snowflake/task/", "")
        archive.writestr("snowflake/task/mine.py", "def g(x): return x + 1")
    body = "def f(x):\n    from snowflake.task.mine import g\n    from snowflake.snowpark.functions import udf\n    return g(x)"
    assert one(pool, handler(body, imports=(ImportFile("a.zip", path),))) == 2


@pytest.mark.parametrize(
    ("body", "entry", "named"),
    [
        ("def g(x): return x", "f", "The handler f is not defined: there is no 'f'"),
        ("", "mod.nothing", "The handler mod.nothing is not defined: module 'mod' has no 'nothing'"),
        ("", "nowhere.f", "No module named 'nowhere'"),
        ("", "f", "names no module"),
        ("import not_there", "f", "ModuleNotFoundError: No module named 'not_there'"),
        ("def f(x: return", "f", "SyntaxError"),
        ("1 / 0", "f", "ZeroDivisionError"),
        ("", "broken.f", "ModuleNotFoundError: No module named 'not_there_either'"),
    ],
)
def test_what_does_not_load_is_named(pool: Pool, tmp_path: Path, body: str, entry: str, named: str) -> None:
    imports = files(tmp_path, mod__py="def f(x): return x", broken__py="import not_there_either")
    with pytest.raises(SnowflakeError) as error:
        one(pool, handler(body, entry, imports=imports))
    assert error.value.code == 100357
    assert named in error.value.message


def _plus(x: int) -> int:
    return x + 1


class _Table:
    def process(self, x: int) -> Any:
        yield (x + 1,)


class _Sum:
    def __init__(self) -> None:
        self._sum = 0

    @property
    def aggregate_state(self) -> int:
        return self._sum

    def accumulate(self, x: int) -> None:
        self._sum += x

    def merge(self, other: int) -> None:
        self._sum += other

    def finish(self) -> int:
        return self._sum


def generated(function: Callable[..., Any], kind: TempObjectType, *flags: Any) -> str:
    """What Snowpark's client sends for a function defined here."""
    cloudpickle.register_pickle_by_value(sys.modules[__name__])
    try:
        return generate_python_code(function, ["arg1"], kind, *(flags or (False, False)))
    finally:
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def test_functions_as_snowpark_registers_them(pool: Pool, tmp_path: Path) -> None:
    code = generated(_plus, TempObjectType.FUNCTION)
    assert one(pool, handler(code, "compute")) == 2
    archive = tmp_path / "archive"
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("udf_py_1234.py", code)
    assert one(pool, handler("", "udf_py_1234.compute", imports=(ImportFile("udf_py_1234.zip", archive),))) == 2


def test_vectorized_functions_as_snowpark_registers_them(pool: Pool) -> None:
    series = generated(lambda s: s + pandas.Series([1]).sum(), TempObjectType.FUNCTION, True, False, 2)
    frame = generated(lambda df: df[0] + 1, TempObjectType.FUNCTION, True, True)
    for code in (series, frame):
        assert pool.apply(handler(code, "compute"), whole(1, 2, 3), Job()).to_pylist() == [2, 3, 4]


def test_classes_as_snowpark_registers_them(pool: Pool) -> None:
    table = handler(
        generated(_Table, TempObjectType.TABLE_FUNCTION), "compute", returns=None, kind="TABLE FUNCTION",
        returns_table=(("R", handler("").arguments[0][1]),),
    )  # fmt: skip
    found = list(pool.table(table, iter([whole(1, 2)]), Job(), partition=None, kept=[]))
    assert [row["R"] for made in found for row in made.to_pylist()] == [2, 3]
    total = handler(generated(_Sum, TempObjectType.AGGREGATE_FUNCTION), "compute", kind="AGGREGATE FUNCTION")
    groups = batch((pa.list_(pa.decimal128(38, 0)), [[1, 2], [3]]))
    assert pool.aggregate(total, groups, Job()).to_pylist() == [3, 3]
