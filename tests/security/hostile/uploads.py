"""Files that nobody in good faith would send: a name, how to make it, and what may come back at once."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from tests.unit.spreadsheets.made import GOOD, HEADER, book, compound, old_book, raw_book, row_xml, sheet_xml, zipped

REFUSED = ("file_unreadable", "file_empty", "file_expands", "file_too_large", "column_missing")
UNREADABLE = ("file_unreadable",)
EXPANDS = ("file_expands",)
MIB = 1 << 20
ROWS = row_xml(1, dict(zip("ABC", HEADER, strict=True))) + row_xml(2, dict(zip("ABC", GOOD, strict=True)))
DTD = '<?xml version="1.0"?><!DOCTYPE x [{0}]>'
LAUGHS = DTD.format('<!ENTITY a0 "lol">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)))
EXTERNAL = ('<!ENTITY e SYSTEM "file:///etc/passwd">', '<!ENTITY e SYSTEM "http://127.0.0.1:8443/x">',
            '<!ENTITY % e SYSTEM "http://127.0.0.1:8443/x"> %e;')  # fmt: skip
CSV = "企业名称,统一社会信用代码,纳入原因\n湘江示例有限公司,91430100MA4QA00108,双超\n"


@dataclass(frozen=True)
class Sent:
    """A file to send. An empty code stands for one that may be taken, and is then judged row by row."""

    what: str
    make: Callable[[], bytes]
    name: str = "名单.xlsx"
    codes: tuple[str, ...] = field(default=UNREADABLE)


def with_parts(**parts: str | bytes) -> bytes:
    return zipped({name.replace("__", "/"): data for name, data in parts.items()})


def strings(text: str, extra: str = "") -> bytes:
    cells = '<row r="1"><c r="A1" t="s"><v>0</v></c></row>'
    return raw_book(sheet_xml(cells), extra={"xl/sharedStrings.xml": f"{extra}<sst>{text}</sst>"})


def million_strings() -> bytes:
    """A million different texts, every one used once by a cell."""
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    cells = "".join(f'<row r="{n}"><c r="A{n}" t="s"><v>{n - 1}</v></c></row>' for n in range(1, 20_001))
    texts = "".join(f"<si><t>{n:x}</t></si>" for n in range(1_000_000))
    relations = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="rId1" Type="{relation}/worksheet" Target="worksheets/sheet1.xml"/>'
        f'<Relationship Id="rId2" Type="{relation}/sharedStrings" Target="sharedStrings.xml"/></Relationships>'
    )
    parts = {"xl/sharedStrings.xml": f'<sst count="1000000">{texts}</sst>', "xl/_rels/workbook.xml.rels": relations}
    return raw_book(sheet_xml(cells), extra=parts)


def entries(*given: tuple[str, bytes, int]) -> bytes:
    """An ordinary workbook with further entries of a name, content and Unix mode."""
    target = io.BytesIO(raw_book(sheet_xml(ROWS)))
    with zipfile.ZipFile(target, "a", zipfile.ZIP_DEFLATED) as archive:
        for name, content, mode in given:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = mode << 16
            archive.writestr(entry, content)
    return target.getvalue()


def twice() -> bytes:
    """Two sheets of one name in the archive: one for the guard, one for the reader."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return entries(("xl/worksheets/sheet1.xml", sheet_xml(" " * 1000).encode(), 0o644))


def lying(size: int) -> bytes:
    """60 MB of zeros whose directory claims `size` bytes."""
    content = bytearray(raw_book(" " * 60_000_000))
    at = content.index(b"xl/worksheets/sheet1.xml", content.rindex(b"PK\x01\x02") - 4000)
    struct.pack_into("<I", content, at - 46 + 24, size)
    return bytes(content)


def nested(depth: int) -> bytes:
    """An archive in an archive in an archive, the innermost a bomb."""
    inner = zipped({"0": bytes(4_000_000)})
    for _ in range(depth):
        inner = zipped({f"{number}.zip": inner for number in range(10)})
    return entries(("xl/embeddings/inner.zip", inner, 0o644))


def polyglot(front: bytes) -> bytes:
    """Something else in front of an ordinary workbook; archives are read from their end."""
    return front + raw_book(sheet_xml(ROWS))


def overlapping() -> bytes:
    """Every entry of the directory points at the same packed megabytes (David Fifield's bomb, without its overlap)."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(20 * MIB))
        first = archive.filelist[0]
        for number in range(500):
            copy = zipfile.ZipInfo(f"xl/worksheets/sheet{number}.xml")
            for name in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(copy, name, getattr(first, name))
            archive.filelist.append(copy)
            archive.NameToInfo[copy.filename] = copy
    return target.getvalue()


def entity(declared: str) -> bytes:
    return raw_book(DTD.format(declared) + sheet_xml(row_xml(1, {"A": "&e;"}))[21:])


def sheet(rows: str, before: str = "") -> Callable[[], bytes]:
    return lambda: raw_book(sheet_xml(rows, before=before))


def cut(part: float, make: Callable[[], bytes]) -> Callable[[], bytes]:
    return lambda: make()[: int(len(make()) * part)]


def gzipped(size: int) -> bytes:
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    return packed.compress(bytes(size)) + packed.flush()


ordinary = partial(book, [HEADER, GOOD])
old = partial(old_book, [HEADER, GOOD])
TAKEN = ("",)
CORPUS = [
    Sent("a zip bomb of 150 MB", sheet(" " * 150_000_000), codes=EXPANDS),
    Sent("a ratio of 1:1000", sheet(ROWS + " " * 30_000_000), codes=EXPANDS),
    Sent("a bomb that claims to be small", partial(lying, 1000)),
    Sent("a bomb that claims to be empty", partial(lying, 0)),
    Sent("a bomb that claims four gigabytes", partial(lying, 0xFFFFFFF0), codes=EXPANDS),
    Sent("entries that share their bytes", overlapping, codes=(*EXPANDS, *UNREADABLE)),
    Sent("archives in archives", partial(nested, 3), codes=TAKEN),
    Sent("gzip instead of zip", partial(gzipped, 50_000_000)),
    Sent("billion laughs in the sheet", lambda: raw_book(LAUGHS + sheet_xml(row_xml(1, {"A": "&a9;"}))[21:])),
    Sent("billion laughs in the strings", lambda: strings("<si><t>&a9;</t></si>", LAUGHS)),
    Sent("laughs in UTF-16", lambda: raw_book(sheet_xml(ROWS), extra={"xl/sharedStrings.xml": LAUGHS.encode("utf-16")})),
    *(Sent(f"an external entity {n}", partial(entity, declared)) for n, declared in enumerate(EXTERNAL)),
    Sent("an entity in the workbook part", lambda: raw_book(sheet_xml(ROWS), extra={"xl/workbook.xml": LAUGHS + "<workbook/>"})),
    Sent("ten million empty rows", sheet(ROWS + "<row/>" * 10_000_000), codes=EXPANDS),
    Sent("16,384 columns", lambda: book([[f"列{n}" for n in range(16_384)]]), codes=("file_too_large",)),
    Sent("16,384 columns of text", lambda: ",".join(["x"] * 16_384).encode(), "宽.csv", ("file_too_large",)),
    Sent("a cell in the last corner", sheet(ROWS + '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'), codes=("file_too_large",)),
    Sent("a million shared strings", million_strings, codes=(*REFUSED, "")),
    Sent("a macro project", lambda: raw_book(sheet_xml(ROWS), extra={"xl/vbaProject.bin": "x"})),
    Sent("an old macro sheet", lambda: raw_book(sheet_xml(ROWS), extra={"xl/macrosheets/sheet1.xml": "<x/>"})),
    Sent("an .xls with macros", lambda: compound(["Workbook", "_VBA_PROJECT_CUR"]), "宏.xls"),
    Sent("an encrypted workbook", lambda: compound(["EncryptedPackage", "EncryptionInfo"])),
    Sent("an encrypted .xls", lambda: old().replace(b"\x42\0\x02\0", b"\x2f\0\x02\0", 1), "密.xls"),
    Sent("a compound file of garbage", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(range(256)) * 40, "x.xls"),
    Sent("a compound file of its magic only", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "x.xls"),
    Sent("a compound file in a circle", lambda: compound(["Workbook"]).replace(b"\xfe\xff\xff\xff", b"\0\0\0\0"), "x.xls"),
    Sent("an .xls named .xlsx", old, codes=TAKEN),
    Sent("an .xlsx named .csv", ordinary, "名单.csv", TAKEN),
    Sent("a CSV named .xlsx", CSV.encode),
    Sent("a page named .xls", lambda: b"<html><table><tr><td>1</td></tr></table></html>", "x.xls"),
    Sent("a PDF", lambda: b"%PDF-1.7\n%%EOF\n"),
    *(Sent(f"an .xlsx cut at {part}", cut(part, ordinary), codes=(*UNREADABLE, "file_empty")) for part in (0.01, 0.3, 0.6, 0.9, 0.99)),
    *(Sent(f"an .xls cut at {part}", cut(part, old), "x.xls", (*UNREADABLE, "file_empty", "column_missing", "")) for part in (0.1, 0.4, 0.7, 0.95)),
    Sent("UTF-8 and GB18030 mixed", lambda: CSV.encode() + CSV.encode("gb18030"), "x.csv"),
    Sent("UTF-16 with its mark", lambda: CSV.encode("utf-16"), "x.csv"),
    Sent("UTF-32", lambda: CSV.encode("utf-32"), "x.csv"),
    Sent("UTF-7", lambda: CSV.encode("utf-7"), "x.csv", ("column_missing", "")),
    Sent("two byte order marks", lambda: b"\xef\xbb\xbf\xef\xbb\xbf" + CSV.encode(), "x.csv", ("column_missing", "")),
    Sent("NUL among text", lambda: CSV.encode().replace(b",", b",\0"), "x.csv"),
    Sent("a quote that never ends", lambda: CSV.encode() + b'"' + b"x" * 5 * MIB, "x.csv"),
    Sent("a line of 19 MB", lambda: CSV.encode() + b"x" * 19 * MIB, "x.csv", REFUSED),
    Sent("19 MB of line ends", lambda: CSV.encode() + b"\n" * 19 * MIB, "x.csv", (*REFUSED, "")),
    Sent("a path out of the archive", lambda: entries(("../../../../tmp/evil.xml", b"x", 0o644)), codes=TAKEN),
    Sent("an absolute path", lambda: entries(("/etc/cron.d/evil", b"x", 0o644), ("C:\\evil", b"x", 0o644)), codes=TAKEN),
    Sent("a link to a file", lambda: entries(("xl/sharedStrings.xml", b"/etc/passwd", 0o120777))),
    Sent("a sheet that is a link", lambda: entries(("xl/worksheets/sheet2.xml", b"/etc/passwd", 0o120777)), codes=TAKEN),
    Sent("an entry twice", twice),
    Sent("an entry twice in two cases", lambda: entries(("XL/Workbook.xml", b"<x/>", 0o644))),
    *(Sent(f"a dimension of {ref}", sheet(ROWS, f'<dimension ref="{ref}"/>'), codes=(*UNREADABLE, ""))
      for ref in ("A1:XFD1048576", "A-1:B-2", "A0:A0", "A1:ZZZZZZ99999999999999", "B2:A1", "")),
    *(Sent(f"a row number of {n}", sheet(ROWS + f'<row r="{n}"><c><v>1</v></c></row>'), codes=(*REFUSED, ""))
      for n in ("-1", "0", "1e9", "99999999999999999999", "x")),
    Sent("a picture in front", partial(polyglot, b"\x89PNG\r\n\x1a\n" + bytes(100)), codes=(*UNREADABLE, "")),
    Sent("a PDF in front", partial(polyglot, b"%PDF-1.7\n1 0 obj\n"), codes=(*UNREADABLE, "")),
    Sent("a script in front", partial(polyglot, b"#!/bin/sh\nexit\n"), codes=(*UNREADABLE, "")),
    Sent("a workbook after a CSV", lambda: CSV.encode() + ordinary(), "x.csv", REFUSED),
    Sent("a .docx", lambda: with_parts(word__document_xml=b"<a/>")),
    Sent("nothing", bytes, codes=("file_empty",)),
    Sent("blanks", lambda: b" \n\t\n", "x.csv", ("file_empty",)),
    Sent("over twenty mebibytes", lambda: bytes(20 * MIB + 1), codes=("file_too_large",)),
]  # fmt: skip
