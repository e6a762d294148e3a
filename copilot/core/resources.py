"""What a saved Terraform plan would do, read as data: what is meant, what goes beyond it, what a person reads of it."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import JsonValue

from copilot.core.plan import Risk, TerraformChange
from copilot.core.text import one_line, plural
from copilot.core.value import canonical

Resource = Mapping[str, JsonValue]
"""One entry of ``TerraformChange.resource_changes``."""
_LOSES = frozenset({"delete", "forget"})
_MOST = 200
_BEFORE = 40
_ABSENT = "(none)"
_UNKNOWN = "(known after apply)"


def verbs(resource: Resource) -> list[str]:
    """Return what is done to a resource: ``create``, ``update``, ``delete``, ``forget``, ``import``, ``move``."""
    found = resource.get("actions")
    return [str(a) for a in found] if isinstance(found, list) else []


def loses(resource: Resource) -> bool:
    """Return whether a resource is deleted, replaced, or no longer looked after."""
    return not _LOSES.isdisjoint(verbs(resource))


def beyond(change: TerraformChange) -> list[Resource]:
    """Return the resources that change besides the one that is meant: drift, dependents, edits of the configuration.

    Meant is what the target's address names (with its instances, or inside that module). Where it names a variable
    instead, the one resource that changes is meant; of several, nothing says which, so that all of them count.
    """
    meant = [r for r in change.resource_changes if _names(change.target.name, str(r.get("address")))]
    if not meant and len(change.resource_changes) == 1:
        return []
    return [r for r in change.resource_changes if r not in meant]


def risk(change: TerraformChange) -> Risk:
    """Return how much a saved plan can hurt; what goes beyond the one resource is not taken back by its variables."""
    if any(map(loses, change.resource_changes)):
        return Risk.IRREVERSIBLE
    return Risk.DESTRUCTIVE if beyond(change) else Risk.DISRUPTIVE


def restores(back: Resource, done: Resource) -> bool:
    """Return whether one change puts a resource back to what another found: what will be known is compared."""
    if verbs(done) == ["create"]:
        return verbs(back) == ["delete"]
    before, after, unknown = (r if isinstance(r, dict) else {} for r in _states(done, back))
    known = {k: v for k, v in after.items() if not unknown.get(k)}
    return verbs(done) == verbs(back) == ["update"] and all(before.get(k) == v for k, v in known.items())


def _states(done: Resource, back: Resource) -> tuple[JsonValue, JsonValue, JsonValue]:
    return done.get("before"), back.get("after"), back.get("unknown")


def rendered(change: TerraformChange) -> str:
    """Return what becomes of every resource, all of it: losses first, then what goes beyond, then what is meant.

    Every line is a changed one, so that no surface leaves it out as context.
    """
    extra = beyond(change)
    ordered = sorted(change.resource_changes, key=lambda r: (not loses(r), r not in extra))
    lost = sum(map(loses, ordered))
    head = f"+ {plural(len(ordered), 'resource')} changed, {lost} deleted or replaced"
    if extra:
        head += f"; {len(extra)} beyond {one_line(change.target.name, 512)}"
    lines = [head, *(line for r in ordered for line in _lines(r, " (beyond what is meant)" if r in extra else ""))]
    return "".join(f"{line}\n" for line in lines)


def _lines(resource: Resource, note: str) -> list[str]:
    mark = "-" if loses(resource) else "+"
    head = f"{mark} {'/'.join(verbs(resource))} {one_line(str(resource.get('address')), 512)}{note}"
    fields = _fields(resource.get("before"), resource.get("after"), resource.get("unknown"), ())
    return [head, *(f"{mark}   {one_line(path, 512)}: {was} -> {will}" for path, was, will in fields)]


def _fields(before: object, after: object, unknown: object, path: tuple[str, ...]) -> Iterator[tuple[str, str, str]]:
    """Yield (path, before, after) of each leaf that changes, however deep it lies."""
    if unknown is True:
        yield ".".join(path), _shown(before, None)[0], _UNKNOWN
    elif isinstance(before, dict) or isinstance(after, dict):
        yield from _each(_keyed(before), _keyed(after), _keyed(unknown), path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _each(_numbered(before), _numbered(after), _numbered(unknown), path)
    elif before != after:
        yield (".".join(path), *_shown(before, after))


def _each(
    before: Mapping[str, object], after: Mapping[str, object], unknown: Mapping[str, object], path: tuple[str, ...]
) -> Iterator[tuple[str, str, str]]:
    for key in sorted({*before, *after, *unknown}):
        yield from _fields(before.get(key), after.get(key), unknown.get(key), (*path, key))


def _keyed(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _numbered(value: object) -> Mapping[str, object]:
    return {f"{i:03}": v for i, v in enumerate(value)} if isinstance(value, Sequence | list) else {}


def _shown(before: object, after: object) -> tuple[str, str]:
    """Return two leaves in at most ``_MOST`` characters, from just before where they begin to differ."""
    was, will = (_ABSENT if v is None else canonical(v).decode() for v in (before, after))
    same = next((i for i, (a, b) in enumerate(zip(was, will, strict=False)) if a != b), min(len(was), len(will)))
    start = max(0, same - _BEFORE) if max(len(was), len(will)) > _MOST else 0
    return _cut(was, start), _cut(will, start)


def _cut(text: str, start: int) -> str:
    return ("…" if start and start < len(text) else "") + one_line(text[start:] or '""', _MOST)


def _names(target: str, address: str) -> bool:
    return address == target or address.startswith((f"{target}[", f"{target}."))
