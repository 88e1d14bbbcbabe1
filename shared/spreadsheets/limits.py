"""How much of a file we are ready to read, and the refusal of a file as a whole."""

from dataclasses import dataclass

from shared.problems import Problem, Text

MIB = 1024 * 1024


@dataclass(frozen=True)
class Limits:
    """Caps on one file: bytes as sent and unpacked, and the extent of a sheet (cells = rows x columns of its used area).

    `text_bytes` bounds the text of all cells: a shared text is one in the file, and as many as its cells once read.
    """

    file_bytes: int = 20 * MIB
    unpacked_bytes: int = 200 * MIB
    ratio: int = 100
    ratio_free_bytes: int = 10 * MIB
    entries: int = 2_000
    sheets: int = 100
    rows: int = 200_000
    columns: int = 200
    cells: int = 2_500_000
    text_bytes: int = 128 * MIB


LIMITS = Limits()


class FileProblem(Problem):
    """A file that cannot be taken at all: 413 `file_too_large`, else 422 `file_unreadable`, `file_empty`, `file_expands`."""

    title = Text("文件无法使用", "The file cannot be used")

    def __init__(self, code: str, zh: str, en: str) -> None:
        super().__init__(code, Text(zh, en))
        self.status = 413 if code == "file_too_large" else 422


def unreadable(zh: str, en: str) -> FileProblem:
    return FileProblem("file_unreadable", zh, en)


def broken() -> FileProblem:
    return unreadable("文件已损坏或不完整, 无法读取。", "The file is damaged or incomplete and cannot be read.")


def has_macros() -> FileProblem:
    return unreadable(
        "文件含有宏, 请另存为不含宏的 .xlsx。", "The file contains macros; save it as .xlsx without macros."
    )


def is_encrypted() -> FileProblem:
    return unreadable(
        "文件已加密, 请去除密码后再上传。", "The file is encrypted; remove the password and send it again."
    )


def too_large(limits: Limits) -> FileProblem:
    size = limits.file_bytes // MIB
    return FileProblem("file_too_large", f"文件超过 {size} MiB。", f"The file is larger than {size} MiB.")


def too_wide(sheet: str, limits: Limits) -> FileProblem:
    return FileProblem(
        "file_too_large",
        f"工作表“{sheet}”过大: 最多 {limits.rows} 行, {limits.columns} 列, 共 {limits.cells} 个单元格。",
        f"Sheet “{sheet}” is too large: at most {limits.rows} rows, {limits.columns} columns, {limits.cells} cells.",
    )


def expands() -> FileProblem:
    return FileProblem(
        "file_expands", "文件解压后异常庞大, 已拒绝。", "The file unpacks to an abnormal size and was refused."
    )


def is_empty() -> FileProblem:
    return FileProblem("file_empty", "文件为空, 没有任何内容。", "The file is empty: there is nothing in it.")


def check_extent(sheet: str, rows: int, columns: int, limits: Limits) -> None:
    """Refuses a sheet whose used area is beyond the caps; the area is held in memory as a rectangle."""
    if rows > limits.rows or columns > limits.columns or rows * columns > limits.cells:
        raise too_wide(sheet, limits)
