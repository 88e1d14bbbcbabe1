"""What a person reads: the explanation in both languages and the table as a page."""

import json
from datetime import date
from html.parser import HTMLParser
from pathlib import Path

import pytest

from services.incentives.engine import Facts, decide, explain, load_rule_sets, render_html, render_json
from services.incentives.engine.canon import dumps, sha256

DAY = date(2026, 9, 1)
TOY = Path(__file__).parent / "toy"


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_a_poor_grade_is_not_recommended_and_the_bank_decides() -> None:
    decision = decide(load_rule_sets().rule_set_on("finance.recommend", DAY), Facts({"credit.norm": 4}), DAY)
    assert decision.outcome == "ineligible"
    assert explain(decision, "en")["outcome_text"] == "not recommended; the bank decides"
    assert explain(decision, "zh")["outcome_text"] == "不建议，由银行自行决定"
    assert decision.reasons[0]["text"] == {"en": "not recommended; the bank decides", "zh": "不建议，由银行自行决定"}


def test_an_explanation_tells_every_condition_with_its_clause() -> None:
    facts = Facts({"audit.type": "mandatory", "audit.overdue": True})
    told = explain(decide(load_rule_sets().rule_set_on("green_factory.province", DAY), facts, DAY), "zh")
    overdue = next(c for c in told["conditions"] if (c["rule"], c["fact"]) == ("G06", "audit.overdue"))
    assert overdue == {
        "rule": "G06",
        "fact": "audit.overdue",
        "text": "审核逾期：是",
        "value": True,
        "threshold": True,
        "result": "true",
        "clause": "CODE2026#967",
    }
    assert told["clauses"]["CODE2026#967"] == "生态环境法典第九百六十七条"
    credit = next(item for item in told["missing"] if item["fact"].startswith("vetoes.GF_V1"))
    assert (credit["code"], credit["text"]) == ("FACT_MISSING", "缺少事实")


def test_an_unconfirmed_parameter_is_named_in_words() -> None:
    known = {f"vetoes.GF_V{number}": "absent" for number in range(1, 7)}
    facts = Facts({**known, "audit.type": "none", "credit.norm": 5})
    told = explain(decide(load_rule_sets().rule_set_on("green_factory.province", DAY), facts, DAY), "en")
    assert [(item["fact"], item["code"]) for item in told["missing"]] == [
        ("green_factory.credit_exclusion_document", "PARAM_UNCONFIRMED")
    ]
    assert told["missing"][0]["label"] == "Hunan document excluding poor credit grades"


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_page_has_a_row_for_every_rule(lang: str) -> None:
    for rule_set in load_rule_sets():
        page = Page(render_html(rule_set, lang))
        values = sum(len(param.values) for param in rule_set.params)
        assert page.tags.count("tr") == 1 + len(rule_set.rows) + values
        assert {row.id for row in rule_set.rows} <= set(page.texts)


def test_a_title_cannot_bring_markup_into_a_page() -> None:
    rule_set = load_rule_sets(TOY).rule_set_on("toy.grade", DAY)
    page = render_html(rule_set, "en")
    assert "script" not in Page(page).tags
    assert "&lt;script&gt;" in page


def test_the_hash_can_be_recomputed_from_the_json_by_anyone() -> None:
    for rule_set in load_rule_sets():
        document = json.loads(json.dumps(render_json(rule_set)))
        claimed = document.pop("hash")
        assert sha256(dumps(document)) == claimed
