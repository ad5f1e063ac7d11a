"""Changes between two snapshots against a plain model: random DML with upkeep of the lake in between."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from polynya.storage.connection import Connection
from polynya.storage.engine import Engine
from polynya.storage.row_changes import Item, has_changed, inserted_rows, net_changes
from polynya.storage.snapshots import current_snapshot
from polynya.storage.upkeep import _FLUSH

ITEMS = [Item('"id"', '"id"', '"id"', "BIGINT"), Item('"v"', '"v"', '"v"', "BIGINT")]
_UPKEEP = (
    "ducklake_rewrite_data_files('lake', '{0}', delete_threshold => 0.1)",
    "ducklake_merge_adjacent_files('lake', '{0}')",
)
# A row of the model: its number -> its value.
Rows = dict[int, int | None]

_OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.sampled_from([1, 3, 40]), st.integers(0, 3)),
        st.tuples(st.just("update"), st.integers(1, 7), st.integers(0, 6)),
        st.tuples(st.just("delete"), st.integers(2, 9), st.integers(0, 8)),
        st.tuples(st.just("truncate"), st.just(0), st.just(0)),
        st.tuples(st.just("both"), st.integers(2, 7), st.integers(0, 6)),
        st.tuples(st.just("upkeep"), st.integers(0, 2), st.just(0)),
        st.tuples(st.just("mark"), st.just(0), st.just(0)),
    ),
    min_size=3,
    max_size=14,
)


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder:
        opened = Engine.open(Path(folder))
        yield opened
        opened.close()


class _Table:
    """A stored table, its model, and what was committed to it."""

    _number = 0

    def __init__(self, engine: Engine) -> None:
        _Table._number += 1
        self.name = f"t_{_Table._number}"
        self.stored_as = f'lake.main."{self.name}"'
        self.connection: Connection = engine.connect()
        self.connection.execute(f"CREATE TABLE {self.stored_as} (id BIGINT, v BIGINT)")
        self.rows: Rows = {}
        self.next_id = 0
        self.inserted: list[tuple[int, Rows]] = []  # snapshot -> the rows that it inserted
        self.marks: list[tuple[int, Rows]] = []

    def mark(self) -> None:
        self.marks.append((current_snapshot(self.connection), dict(self.rows)))

    def do(self, operation: str, a: int, b: int) -> None:
        before = set(self.rows)
        match operation:
            case "upkeep":
                for call in [_FLUSH, *_UPKEEP[:a]]:  # in the housekeeper's order
                    self.connection.execute(f"CALL {call.format(self.name)}")
                return
            case "mark":
                self.mark()
                return
            case "insert":
                self._insert(a, b)
            case "update":
                self._update(a, b)
            case "delete":
                self._delete(a, b)
            case "truncate":
                self.connection.execute(f"DELETE FROM {self.stored_as}")
                self.rows.clear()
            case "both":  # in one transaction: a row comes and goes, others change twice
                with self.connection.atomic():
                    self._insert(5, 1)
                    self._update(a, b)
                    self._update(a, b)
                    self._delete(a, b)
        fresh = {number: value for number, value in self.rows.items() if number not in before}
        self.inserted.append((current_snapshot(self.connection), fresh))

    def _insert(self, count: int, value: int) -> None:
        first, self.next_id = self.next_id, self.next_id + count
        self.connection.execute(
            f"INSERT INTO {self.stored_as} SELECT i, nullif({value}, 0) FROM range({first}, {self.next_id}) AS r(i)"
        )
        self.rows |= dict.fromkeys(range(first, self.next_id), value or None)

    def _update(self, modulus: int, remainder: int) -> None:
        self.connection.execute(
            f"UPDATE {self.stored_as} SET v = coalesce(v, 0) + 1 WHERE id % {modulus} = {remainder % modulus}"
        )
        for number, value in self.rows.items():
            if number % modulus == remainder % modulus:
                self.rows[number] = (value or 0) + 1

    def _delete(self, modulus: int, remainder: int) -> None:
        self.connection.execute(f"DELETE FROM {self.stored_as} WHERE id % {modulus} = {remainder % modulus}")
        for number in [number for number in self.rows if number % modulus == remainder % modulus]:
            del self.rows[number]

    def check(self) -> None:
        for (start, before), (end, after) in zip(self.marks, self.marks[1:], strict=False):
            self._check(start, before, end, after)
        self._check(*self.marks[0], *self.marks[-1])

    def _check(self, start: int, before: Rows, end: int, after: Rows) -> None:
        found = self._read(net_changes(self.connection, self.stored_as, start, end, ITEMS))
        expected = []
        for number in before.keys() | after.keys():
            old, new = number in before, number in after
            if old and new and before[number] == after[number]:
                continue
            if old:
                expected.append((number, before[number], "DELETE", new))
            if new:
                expected.append((number, after[number], "INSERT", old))
        assert _sorted(found) == _sorted(expected)
        if expected:
            assert has_changed(self.connection, self.stored_as, start, end)
        found = self._read(inserted_rows(self.stored_as, start, end, ITEMS))
        fresh = [rows for snapshot, rows in self.inserted if start < snapshot <= end]
        assert _sorted(found) == _sorted(
            [(number, value, "INSERT", False) for rows in fresh for number, value in rows.items()]
        )

    def _read(self, sql: str) -> list[tuple]:
        columns = self.connection.table(f'SELECT id, v, "METADATA$ACTION", "METADATA$ISUPDATE" FROM {sql}').columns
        return list(zip(*(column.to_pylist() for column in columns), strict=True))


def _sorted(rows: list[tuple]) -> list[tuple]:
    return sorted(rows, key=repr)


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(operations=_OPERATIONS)
def test_net_changes_and_inserted_rows(engine: Engine, operations: list[tuple[str, int, int]]) -> None:
    table = _Table(engine)
    table.do("insert", 40, 1)
    table.mark()
    for operation in operations:
        table.do(*operation)
    table.mark()
    table.check()
    table.connection.close()
