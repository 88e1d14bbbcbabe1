"""Rule sets, parameters, facts and clauses read from a folder of YAML."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from services.incentives.engine.derived import AMOUNTS, FUNCTIONS
from services.incentives.engine.model import AnyOf, Clause, FactSpec, Param, RuleSet, TableError, Text
from shared.datafiles import read_data

DATA = Path(__file__).parent.parent / "data"


@dataclass(frozen=True)
class Programme:
    """Something an enterprise may get or must pay, and the office that answers for it."""

    id: str
    kind: str
    title: Text
    owner: str


@dataclass(frozen=True)
class RuleSets:
    """All versions of all programmes of a folder."""

    all: tuple[RuleSet, ...]
    programmes: Mapping[str, Programme]

    def __iter__(self) -> Iterator[RuleSet]:
        return iter(self.all)

    def rule_set_on(self, programme: str, as_of: date) -> RuleSet:
        """The newest version in force on a day, else the first one (which then answers `not_applicable`); KeyError."""
        versions = sorted((r for r in self.all if r.programme == programme), key=lambda r: r.version)
        if not versions:
            raise KeyError(programme)
        return next((r for r in reversed(versions) if r.in_force(as_of)), versions[0])

    def version(self, id_: str, version: int) -> RuleSet | None:
        """An exact version, or None."""
        return next((r for r in self.all if (r.id, r.version) == (id_, version)), None)

    def by_hash(self, hash_: str) -> RuleSet | None:
        """The rule set a stored decision was made with, or None."""
        return next((r for r in self.all if r.hash == hash_), None)


@dataclass(frozen=True)
class Library:
    """What the rule sets of a folder may name."""

    facts: Mapping[str, FactSpec]
    params: Mapping[str, Param]
    clauses: Mapping[str, Clause]


def load_rule_sets(folder: Path = DATA) -> RuleSets:
    """Everything in a folder, references resolved; TableError names the file and what is wrong."""
    library = Library(read_facts(folder), read_params(folder), read_clauses(folder))
    rule_sets = tuple(
        read_rule_set(path, library)
        for path in sorted((folder / "rule_sets").glob("*.yaml"))
        if not path.name.endswith(".golden.yaml")
    )
    for rule_set in rule_sets:
        if rule_set.unresolved:
            raise TableError(f"{rule_set.id} v{rule_set.version}: {'; '.join(rule_set.unresolved)}")
    listed = read_yaml(folder / "programmes.yaml", {"programmes": []})["programmes"]
    programmes = {
        item["id"]: Programme(item["id"], item["kind"], Text(**item["title"]), item["owner"]) for item in listed
    }
    for rule_set in rule_sets:
        if rule_set.programme not in programmes:
            raise TableError(f"{rule_set.id}: no programme {rule_set.programme}")
    return RuleSets(rule_sets, programmes)


def read_yaml(path: Path, absent: Any = None) -> Any:
    """A YAML file without floats; `absent` where there is no such file."""
    if absent is not None and not path.exists():
        return absent
    try:
        document = read_data(path)
    except yaml.YAMLError as error:
        raise TableError(f"{path.name}: {error}") from error
    _refuse_floats(document, path.name)
    return document


def _refuse_floats(item: Any, where: str) -> None:
    if isinstance(item, float):
        raise TableError(f"{where}: {item} is a float; write it as a string")
    children: Iterable[Any] = item.items() if isinstance(item, dict) else item if isinstance(item, list) else ()
    for child in children:
        name, value = child if isinstance(item, dict) else ("", child)
        _refuse_floats(value, f"{where}/{name}" if name else where)


def read_facts(folder: Path) -> dict[str, FactSpec]:
    """The shared fact model of a folder, in file order."""
    listed = read_yaml(folder / "facts.yaml", {"facts": []})["facts"]
    return {spec.name: spec for spec in (_parsed(FactSpec, item, "facts.yaml") for item in listed)}


def read_clauses(folder: Path) -> dict[str, Clause]:
    """The clauses of a folder by id."""
    listed = read_yaml(folder / "clauses.yaml", {"clauses": []})["clauses"]
    return {clause.id: clause for clause in (_parsed(Clause, item, "clauses.yaml") for item in listed)}


def read_params(folder: Path) -> dict[str, Param]:
    """The parameters of a folder by name."""
    params: dict[str, Param] = {}
    for path in sorted((folder / "parameters").glob("*.yaml")):
        for item in read_yaml(path)["parameters"]:
            param = _parsed(Param, item, path.name)
            if param.name in params:
                raise TableError(f"{path.name}: {param.name} is declared twice")
            params[param.name] = param
    return params


def _parsed(kind: Any, item: Any, where: str) -> Any:
    try:
        return kind.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        raise TableError(f"{where}: {'/'.join(map(str, first['loc']))}: {first['msg']}") from error


def read_rule_set(path: Path, library: Library) -> RuleSet:
    """One version with what it names; names that nothing declares are kept in `unresolved` for lint to tell."""
    document = read_yaml(path)
    own_facts = [_fact(item, library.facts, path.name) for item in document.pop("facts", [])]
    golden_file = path.with_name(path.name.removesuffix(".yaml") + ".golden.yaml")
    inline = {clause.id: clause for clause in (_parsed(Clause, i, path.name) for i in document.pop("clauses", []))}
    golden = read_yaml(golden_file, {"cases": []})["cases"]
    draft = _parsed(RuleSet, {**document, "facts": own_facts}, path.name)
    assert isinstance(draft, RuleSet)
    return resolve(draft, library.params, {**library.clauses, **inline}, tuple(golden))


def _fact(item: Any, known: Mapping[str, FactSpec], where: str) -> dict[str, Any]:
    """A fact by name, by name with its default here, or declared in full."""
    if isinstance(item, str):
        item = {"name": item}
    shared = known.get(item["name"])
    if shared is None and "type" not in item:
        raise TableError(f"{where}: no fact {item['name']} in the fact model")
    declared = shared.model_dump(by_alias=True) if shared is not None else {}
    return {**declared, **item}


def resolve(
    draft: RuleSet, params: Mapping[str, Param], clauses: Mapping[str, Clause], golden: tuple[dict[str, Any], ...] = ()
) -> RuleSet:
    """The rule set with exactly the parameters and clauses it names, sorted by name."""
    wanted_params = set(_param_names(draft))
    wanted_clauses = {id_ for row in draft.rows for id_ in row.clause}
    wanted_clauses |= set(draft.default.clause) if draft.default else set()
    wanted_clauses |= {params[name].clause for name in wanted_params if name in params}
    unresolved = [f"unknown fact {name}" for name in sorted(_unknown_facts(draft))]
    unresolved += [f"unknown parameter {name}" for name in sorted(wanted_params - params.keys())]
    unresolved += [f"unknown clause {id_}" for id_ in sorted(wanted_clauses - clauses.keys())]
    unresolved += [f"unknown function {name}" for name in _unknown_functions(draft)]
    return draft.altered(
        params=tuple(params[name] for name in sorted(wanted_params & params.keys())),
        clauses=tuple(clauses[id_] for id_ in sorted(wanted_clauses & clauses.keys())),
        unresolved=tuple(unresolved),
        golden=golden,
    )


def _param_names(draft: RuleSet) -> Iterator[str]:
    for row in draft.rows:
        yield from row.needs_params
        yield from (cell.param for group in row.groups for cell in group if cell.param is not None)
    for derived in draft.derived:
        yield from derived.params.values()
    if draft.amounts is not None:
        yield from draft.amounts.params.values()


def _unknown_facts(draft: RuleSet) -> set[str]:
    known = {fact.name for fact in draft.facts}
    unknown: set[str] = set()
    for derived in draft.derived:  # in order, so that a derived fact may use only those above it
        unknown |= set(derived.inputs) - known
        known.add(derived.name)
    cells = [cell for row in draft.rows for entry in row.when for cell in _cells(entry)]
    unknown |= {cell.fact for cell in cells} - known
    return unknown | (set(draft.amounts.inputs) - known if draft.amounts else set())


def _cells(entry: Any) -> tuple[Any, ...]:
    return entry.any_of if isinstance(entry, AnyOf) else (entry,)


def _unknown_functions(draft: RuleSet) -> list[str]:
    unknown = [derived.function for derived in draft.derived if derived.function not in FUNCTIONS]
    return unknown + ([draft.amounts.function] if draft.amounts and draft.amounts.function not in AMOUNTS else [])
