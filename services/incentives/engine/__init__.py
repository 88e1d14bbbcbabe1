"""Effective-dated decision tables that answer with an outcome, a trace and the law it rests on."""

from services.incentives.engine.decide import Decision, decide
from services.incentives.engine.explain import explain
from services.incentives.engine.facts import FactProblem, Facts, facts_from_api, facts_from_stored
from services.incentives.engine.golden import GoldenFailure, run_golden
from services.incentives.engine.lint import LintProblem, lint
from services.incentives.engine.model import RuleSet, TableError
from services.incentives.engine.render import render_html, render_json
from services.incentives.engine.tables import DATA, RuleSets, load_rule_sets

__all__ = [
    "DATA",
    "Decision",
    "FactProblem",
    "Facts",
    "GoldenFailure",
    "LintProblem",
    "RuleSet",
    "RuleSets",
    "TableError",
    "decide",
    "explain",
    "facts_from_api",
    "facts_from_stored",
    "lint",
    "load_rule_sets",
    "render_html",
    "render_json",
    "run_golden",
]
