"""One frame as every kind of source that can be read."""

import gzip
import shutil
from decimal import Decimal
from xml.sax.saxutils import escape
from zipfile import ZipFile
from zlib import crc32

import duckdb
import pandas as pd
import polars as pl
import pytest

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
WORKBOOK = "http://schemas.openxmlformats.org/package/2006"


# What tells rows apart stays as it is in a frame, which knows its types; in a file of text it is a number if it can be.
KEPT = ("customer_id", "city", "shop", "month", "week", "_id", "days", "frequency", "recency", "T")


def as_text(frame, blank=" ", kept=KEPT):
    """Every value as text with blanks around it, None where there is none."""
    text = frame.astype(object).map(lambda value: None if pd.isna(value) else f"{blank}{value}{blank}")
    return text.assign(**{name: frame[name] for name in frame if name in kept})


def lists(frame):
    return {name: frame[name].astype(object).where(frame[name].notna(), None).tolist() for name in frame}


def decimals(frame):
    """The frame with floats as decimals."""
    floats = frame.select_dtypes("float")
    exact = floats.astype(object).map(lambda value: None if pd.isna(value) else Decimal(str(value)))
    return frame.assign(**{name: exact[name] for name in floats})


def file(name, write):
    def to_file(frame, folder):
        write(frame, folder / name)
        return folder / name

    return to_file


def csv(name, **layout):
    return file(name, lambda frame, path: frame.to_csv(path, index=False, **layout))


def to_parquet(frame, path):
    pl.DataFrame(lists(frame)).write_parquet(path)


def in_two_files(frame, folder):
    for number, part in enumerate((frame[::2], frame[1::2])):
        part.to_csv(folder / f"part{number}.csv", index=False)
    return folder / "part*.csv"


def cell(value):
    """A cell of a workbook: text, a number, a truth value or a date."""
    if pd.isna(value):
        return "<c/>"
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, pd.Timestamp):
        return f'<c s="1"><v>{(value - pd.Timestamp("1899-12-30")) / pd.Timedelta(days=1)!r}</v></c>'
    if isinstance(value, str):
        return f'<c t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
    return f"<c><v>{value!r}</v></c>"


def write_workbook(path, **sheets):
    """A workbook with one sheet for each frame, as a spreadsheet program stores it."""
    kinds = {"xl/workbook.xml": "sheet.main", "xl/styles.xml": "styles"}
    kinds |= {f"xl/worksheets/sheet{i}.xml": "worksheet" for i in range(len(sheets))}
    office = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    types = "".join(f'<Override PartName="/{part}" ContentType="{office}.{kind}+xml"/>' for part, kind in kinds.items())
    names = "".join(f'<sheet name="{name}" sheetId="{i + 1}" r:id="s{i}"/>' for i, name in enumerate(sheets))
    targets = {f"s{i}": ("worksheet", f"worksheets/sheet{i}.xml") for i in range(len(sheets))}
    targets |= {"style": ("styles", "styles.xml")}
    links = "".join(f'<Relationship Id="{i}" Type="{RELATIONS}/{k}" Target="{t}"/>' for i, (k, t) in targets.items())
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{WORKBOOK}/content-types"><Default Extension="rels" '
        f'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>{types}</Types>',
        "_rels/.rels": f'<Relationships xmlns="{WORKBOOK}/relationships"><Relationship Id="w" '
        f'Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{WORKBOOK}/relationships">{links}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{names}</sheets></workbook>',
        "xl/styles.xml": f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/>'
        "</cellXfs></styleSheet>",
    }
    for i, frame in enumerate(sheets.values()):
        rows = [list(frame.columns), *frame.astype(object).to_numpy().tolist()] if len(frame.columns) else []
        cells = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
        parts[f"xl/worksheets/sheet{i}.xml"] = f'<worksheet xmlns="{MAIN}"><sheetData>{cells}</sheetData></worksheet>'
    with ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, '<?xml version="1.0" encoding="UTF-8"?>' + content)


def compressed(frame, path):
    path.write_bytes(gzip.compress(frame.to_csv(index=False, sep="\t").encode()))


SOURCES = {
    "pandas, any index": lambda frame, _: frame.set_axis([7] * len(frame)),
    "pandas, two levels of index": lambda frame, _: frame.set_axis(
        pd.MultiIndex.from_arrays([frame.index, frame.index])
    ),
    "pandas, nullable": lambda frame, _: frame.convert_dtypes(),
    "pandas, Arrow": lambda frame, _: frame.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, categories": lambda frame, _: frame.astype("category"),
    "pandas, Decimal": lambda frame, _: decimals(frame),
    "pandas, objects": lambda frame, _: frame.astype(object),
    "pandas, text": lambda frame, _: as_text(frame),
    "Polars": lambda frame, _: pl.DataFrame(lists(frame)),
    "Polars, lazy": lambda frame, _: pl.LazyFrame(lists(frame)),
    "Polars, text": lambda frame, _: pl.DataFrame(lists(as_text(frame))),
    "Polars, lazy text": lambda frame, _: pl.LazyFrame(lists(as_text(frame, "\u00a0"))),
    "DuckDB": lambda frame, _: duckdb.from_df(frame.convert_dtypes()),
    "DuckDB, text": lambda frame, _: duckdb.from_df(as_text(frame, "\t")),
    "DuckDB, categories": lambda frame, _: duckdb.from_df(
        as_text(frame, "").convert_dtypes().astype({n: "category" for n in frame if n not in KEPT})
    ),
    "CSV": csv("log.csv"),
    "CSV, semicolons": csv("log.csv", sep=";", decimal=","),
    "CSV, capitals": csv("LOG.CSV"),
    "CSV, compressed": csv("log.csv.gz"),
    "TSV": csv("log.tsv", sep="\t"),
    "TSV, compressed": file("log.tsv.gz", compressed),
    "text with bars": csv("log.txt", sep="|"),
    "CSV files": in_two_files,
    "Parquet": file("log.parquet", to_parquet),
    "pq": file("log.pq", to_parquet),
    "workbook": file("log.xlsx", lambda frame, path: write_workbook(path, log=frame, notes=pd.DataFrame())),
    "workbook, text": file("log.xlsx", lambda frame, path: write_workbook(path, log=as_text(frame, kept=()))),
}


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    """A function that makes one kind of source of a plain pandas frame."""
    return lambda frame: SOURCES[request.param](frame, tmp_path)


@pytest.fixture
def in_spark():
    """A function that makes a Spark frame of a plain pandas frame, of text if asked for."""
    if shutil.which("java") is None:
        pytest.skip("no Java found, which Spark needs")
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed; see make test-spark")
    session = sql.SparkSession.builder.master("local[1]").config("spark.sql.shuffle.partitions", "1").getOrCreate()
    types = {"M": "timestamp_ntz", "f": "double", "i": "long", "b": "boolean"}

    def make(frame, *, text):
        frame = as_text(frame) if text else frame
        schema = ", ".join(f"`{name}` {types.get(frame[name].dtype.kind, 'string')}" for name in frame)
        rows = [
            [getattr(value, "to_pydatetime", lambda value=value: value)() for value in row]
            for row in zip(*lists(frame).values(), strict=True)
        ]
        return session.createDataFrame(rows, schema)

    yield make
    session.stop()


@pytest.fixture
def workbook():
    return write_workbook


def pytest_collection_modifyitems(items):
    """Three quarters of the many sources at every door are read in the slow suite only."""
    for item in items:
        if "test_every_door_reads_every_source_like_a_plain_frame" in item.name and crc32(item.name.encode()) % 4:
            item.add_marker(pytest.mark.slow)
