"""What is wrong with a row, by a stable code with its text in both languages."""

from dataclasses import dataclass
from typing import Any, Literal

from shared.problems import Text

Severity = Literal["error", "warning"]

# Every code a row can have, its severity, and its text; {value}, {header} and the details are filled in.
CODES: dict[str, tuple[Severity, Text]] = {
    "uscc_malformed": (
        "error",
        Text(
            "统一社会信用代码应为18位数字或大写字母(不含I, O, S, V, Z)。",
            "The code must have 18 digits or capitals (no I, O, S, V, Z).",
        ),
    ),
    "uscc_check_digit": (
        "error",
        Text("统一社会信用代码的校验位不符。", "The check character of the unified social credit code does not fit."),
    ),
    "duplicate_in_file": (
        "error",
        Text("与第 {first_row} 行重复。", "The same enterprise is already in row {first_row}."),
    ),
    "enterprise_deregistered": (
        "error",
        Text("该企业已于 {deregistered_on} 注销。", "The enterprise was deregistered on {deregistered_on}."),
    ),
    "division_unknown": (
        "error",
        Text("不能识别的市州或县市区: “{value}”。", "No such city or county is known: “{value}”."),
    ),
    "industry_unknown": (
        "error",
        Text("不是 GB/T 4754-2017 的行业代码或名称: “{value}”。", "“{value}” is no GB/T 4754-2017 industry."),
    ),
    "reason_unknown": (
        "error",
        Text(
            "不能识别的纳入原因: “{unknown}”; 可填 {choices}。",
            "Unknown reason “{unknown}”; one or more of: {choices}.",
        ),
    ),
    "formula_cell": (
        "error",
        Text("此格是公式, 请粘贴为数值。", "The cell is a formula; paste it as a value."),
    ),
    "date_as_text": (
        "error",
        Text("日期写成了文本, 请改为日期格式。", "The date is written as text; make it a date cell."),
    ),
    "date_malformed": ("error", Text("不是有效日期: “{value}”。", "“{value}” is not a date.")),
    "value_missing": ("error", Text("“{header}”不能为空。", "“{header}” must not be empty.")),
    "value_too_long": ("error", Text("“{header}”最多 {limit} 个字。", "“{header}” has at most {limit} characters.")),
    "choice_unknown": ("error", Text("“{value}”不在可选项中: {choices}。", "“{value}” is not one of: {choices}.")),
    "year_malformed": ("error", Text("年度应为四位数字: “{value}”。", "The year must have four digits: “{value}”.")),
    "grade_unknown": ("error", Text("该年度没有“{value}”这一等级。", "That year's regime has no grade “{value}”.")),
    "permit_malformed": ("error", Text("排污许可证编号应为22位。", "A discharge permit number has 22 characters.")),
    "permit_check_digit": (
        "error",
        Text(
            "排污许可证编号中的统一社会信用代码校验位不符。",
            "The check character of the code inside the permit number does not fit.",
        ),
    ),
    "enterprise_unknown": (
        "error",
        Text(
            "没有登记该企业，或不在您的管辖范围内。",
            "No such enterprise is registered, or it is not in your jurisdiction.",
        ),
    ),
    "date_out_of_order": (
        "error",
        Text(
            "日期不得晚于今天，也不得早于评价年度: “{value}”。",
            "The date is after today or before the evaluation year: “{value}”.",
        ),
    ),
    "enterprise_not_registered": (
        "warning",
        Text("该企业尚未登记, 将以“待核实”建档。", "The enterprise is not registered; it will be made, pending."),
    ),
    "name_mismatch": (
        "warning",
        Text("名称与登记的“{registered}”不一致。", "The name differs from the registered “{registered}”."),
    ),
    "round_open": (
        "warning",
        Text(
            "该企业已有在办的强制性审核, 沿用原审核。",
            "A mandatory audit of this enterprise is already open; it is kept.",
        ),
    ),
    "trailing_separator": ("warning", Text("末尾有多余的分隔符。", "There is a separator too many.")),
    "uscc_inner_check": (
        "warning",
        Text(
            "代码中组织机构代码的校验位不符, 请核对。",
            "The inner organisation code's check digit does not fit; please check.",
        ),
    ),
}


@dataclass(frozen=True)
class RowProblem:
    """One problem at one cell, addressed as Excel shows it; `suggestion` is the value that would be right."""

    sheet: str
    row: int
    column: str
    header: str
    value: str
    severity: Severity
    code: str
    message: Text
    suggestion: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "sheet": self.sheet,
            "row": self.row,
            "column": self.column,
            "header": self.header,
            "value": self.value,
            "severity": self.severity,
            "code": self.code,
            "message": self.message.both(),
            "suggestion": self.suggestion,
        }


class _Details(dict[str, object]):
    def __missing__(self, key: str) -> str:
        return "?"


def text_of(code: str, **details: object) -> Text:
    """The text of a code with its details filled in; KeyError for a code that is not in the table."""
    _, text = CODES[code]
    filled = _Details(details)
    return Text(text.zh.format_map(filled), text.en.format_map(filled))


def severity_of(code: str) -> Severity:
    return CODES[code][0]
