"""Columns of records as buffers, and records by SQL."""
import gc
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from test_switch import ask, config

import tandem

NAMES = ["record_id", "ended_at_us", "charge_units", "customer_gateway", "end_reason", "vendor_charge_units"]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    given = config(tmp_path_factory.mktemp("records"))
    with tandem.Switch(given) as switch:
        for source in ("127.0.0.9", "127.0.0.8", "127.0.0.9", "127.0.0.8"):
            ask(switch, "INVITE", source)
    return given


def view(buffer: Any) -> memoryview:
    """Type checkers know buffers of other classes since Python 3.12 (PEP 688)."""
    return memoryview(buffer)


def folder_of(given: dict[str, Any]) -> str:
    return str(given["cdr"]["sinks"][0]["path"])


def test_columns_are_buffers_over_their_own_memory(stored: dict[str, Any]) -> None:
    records = list(tandem.iter_cdrs(stored))[::-1]
    columns = tandem.cdr_columns(stored, NAMES)
    assert list(columns) == NAMES
    ids = view(columns["record_id"])
    assert (ids.format, ids.itemsize, ids.shape, ids.readonly, ids.c_contiguous) == ("q", 8, (4,), True, True)
    assert ids.tolist() == [cdr.record_id for cdr in records]
    assert view(columns["ended_at_us"]).tolist() == [cdr.ended_at_us for cdr in records]
    gateways = columns["customer_gateway"]
    codes = view(gateways)
    assert (codes.format, codes.itemsize) == ("i", 4)
    assert gateways.is_text and gateways.texts == ("cust",) and columns["record_id"].texts is None
    assert [gateways[i] for i in range(4)] == [cdr.customer_gateway for cdr in records] and -1 in codes.tolist()
    assert gateways[-1] == records[-1].customer_gateway and len(gateways) == 4
    with pytest.raises(IndexError):
        gateways[4]
    nulls = gateways.nulls
    assert nulls is not None and view(nulls).format == "?"
    assert view(nulls).tolist() == [cdr.customer_gateway is None for cdr in records]
    assert columns["record_id"].nulls is None
    with pytest.raises(TypeError):
        ids[0] = 1  # read-only
    # Two views see one memory.
    seen: object = view(columns["record_id"]).obj
    assert seen is columns["record_id"]


def test_a_view_outlives_its_column(stored: dict[str, Any]) -> None:
    wanted = [cdr.record_id for cdr in tandem.iter_cdrs(stored)][::-1]
    columns = tandem.cdr_folder_columns(folder_of(stored), ["record_id", "caller", "vendor_charge_units"])
    ids = view(columns["record_id"])
    nulls = columns["vendor_charge_units"].nulls
    assert nulls is not None
    missing = view(nulls)
    del columns, nulls
    gc.collect()
    assert ids.tolist() == wanted and len(missing) == 4


def test_numpy_sees_columns_without_a_copy(stored: dict[str, Any]) -> None:
    numpy = pytest.importorskip("numpy")
    column = tandem.cdr_columns(stored, ["ended_at_us", "caller"])["ended_at_us"]
    first, second = numpy.asarray(column), numpy.asarray(column)
    assert first.dtype == numpy.int64 and numpy.shares_memory(first, second)
    assert first.tolist() == view(column).tolist()


def test_columns_are_of_a_filter_and_refuse_what_they_cannot_do(stored: dict[str, Any]) -> None:
    assert len(tandem.cdr_columns(stored, ["caller"], customer_gateway="cust")["caller"]) == 2
    empty = tandem.cdr_columns(stored, ["caller", "record_id"], caller="nobody")
    assert view(empty["record_id"]).tolist() == [] and empty["caller"].texts == ()
    assert "charge_units" in tandem.cdr_column_names() and "charge" not in tandem.cdr_column_names()
    refused: list[list[str]] = [[], ["colour"], ["caller", "caller"]]
    for names in refused:
        with pytest.raises(tandem.Error) as raised:
            tandem.cdr_columns(stored, names)
        assert raised.value.code == tandem.ErrorCode.invalid_argument
    for rows_max, bytes_max in ((1, 1 << 20), (1 << 20, 8)):
        with pytest.raises(tandem.Error) as raised:
            tandem.cdr_folder_columns(folder_of(stored), ["record_id"], rows_max=rows_max, bytes_max=bytes_max)
        assert raised.value.code == tandem.ErrorCode.limit
    with pytest.raises(TypeError):
        tandem.cdr_columns(stored, ["caller"], limit=3)


def test_records_answer_sql(stored: dict[str, Any]) -> None:
    answer = tandem.cdr_sql(stored, "SELECT customer_gateway, count(*) AS n FROM cdrs GROUP BY 1 ORDER BY 1")
    assert answer.columns == ["customer_gateway", "n"] and answer.rows == [(None, 2), ("cust", 2)]
    assert not answer.is_cut and answer.to_csv().startswith("customer_gateway,n\r\n")
    assert tandem.cdr_sql(stored, "SELECT record_id FROM cdrs", limit=3).is_cut
    with pytest.raises(tandem.Error) as raised:
        tandem.cdr_folder_sql(folder_of(stored), "DROP TABLE cdrs")
    assert raised.value.code == tandem.ErrorCode.invalid_argument


def test_the_extension_shows_records_to_any_sqlite(stored: dict[str, Any]) -> None:
    extension = Path(tandem.__file__).resolve().parents[2] / "lib" / "tandem_cdr"
    connection = sqlite3.connect(":memory:")
    if not hasattr(connection, "enable_load_extension"):
        pytest.skip("this Python loads no extensions")
    connection.enable_load_extension(True)
    connection.load_extension(str(extension))
    connection.execute(f"CREATE VIRTUAL TABLE temp.cdrs USING tandem_cdr('{folder_of(stored)}')")
    ids = [row[0] for row in connection.execute("SELECT record_id FROM cdrs ORDER BY ended_at_us DESC, record_id DESC")]
    assert ids == [cdr.record_id for cdr in tandem.iter_cdrs(stored)]
    with pytest.raises(sqlite3.OperationalError):
        connection.execute("DELETE FROM cdrs")
    connection.close()
