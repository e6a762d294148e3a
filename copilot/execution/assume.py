"""What a plan takes for granted of each object, and whether it still holds; pure."""

from collections.abc import Sequence

from copilot.actions.base import Action, Seen, after, revive
from copilot.core.plan import Assumption, KubernetesChange, Plan, Step
from copilot.core.ref import Ref
from copilot.core.value import JsonObject, digest
from copilot.errors import WorldChanged


def assumptions(actions: Sequence[Action], seen: Seen) -> tuple[Assumption, ...]:
    """Return one assumption per target, in the order of first use."""
    targets = {ref.key: ref for action in actions for ref in action.targets()}
    return tuple(_assume(ref, seen[ref.key], actions) for ref in targets.values())


def _assume(ref: Ref, obj: JsonObject, actions: Sequence[Action]) -> Assumption:
    meta: JsonObject = obj.get("metadata") or {}
    return Assumption(
        target=ref,
        uid=str(meta.get("uid") or ""),
        generation=int(meta.get("generation") or 0),
        spec_digest=fingerprint(ref, obj, actions),
        resource_version=str(meta.get("resourceVersion") or ""),
    )


def fingerprint(ref: Ref, obj: JsonObject, actions: Sequence[Action]) -> str:
    """Return the digest of what the actions on one target depend on."""
    return digest([a.depends_on(obj) for a in actions if any(t.key == ref.key for t in a.targets())])


def trace(ref: Ref, obj: JsonObject, actions: Sequence[Action]) -> str:
    """Return the digest of what nobody else may have changed when actions on an object are taken back."""
    parts = [a.leaves(obj) for a in actions if any(t.key == ref.key for t in a.targets())]
    return digest([str((obj.get("metadata") or {}).get("uid") or ""), parts])


def name_of(ref: Ref) -> str:
    """Return the key under which a result keeps the trace of an object."""
    return "/".join(ref.key)


def actions_of(plan: Plan) -> Sequence[Action]:
    """Return a plan's actions and those that take them back."""
    return [revive(call) for s in plan.steps for call in (s.call, s.inverse) if call is not None]


class World:
    """What is expected of each object while a plan runs; a plan's own changes move the expectation along."""

    def __init__(self, plan: Plan) -> None:
        self._actions = [revive(s.call) for s in plan.steps]
        self._assumed = {a.target.key: a for a in plan.assumes}
        self._expected = {a.target.key: a.spec_digest for a in plan.assumes}
        self._both = actions_of(plan)
        self._left: dict[str, str] = {}

    @property
    def targets(self) -> tuple[Ref, ...]:
        """Return every assumed object."""
        return tuple(a.target for a in self._assumed.values())

    def check(self, ref: Ref, obj: JsonObject) -> None:
        """Raise ``WorldChanged`` unless the object is the very instance, in the state the plan was made for."""
        assumed = self._assumed.get(ref.key)
        if assumed is None:
            return
        if str((obj.get("metadata") or {}).get("uid") or "") != assumed.uid:
            raise WorldChanged(f"{ref} is another object of that name by now.", hint="A new plan is needed.")
        if ref.key in self._expected and fingerprint(ref, obj, self._actions) != self._expected[ref.key]:
            raise WorldChanged(f"{ref} was changed after the plan was made.", hint="A new plan is needed.")

    def moved(self, ref: Ref, after: JsonObject | None) -> None:
        """Note that the plan itself changed an object, to ``after``; without it the instance alone is checked."""
        if after is None or not after.get("metadata"):
            self._expected.pop(ref.key, None)
            self._left.pop(name_of(ref), None)
        elif ref.key in self._expected:
            self._expected[ref.key] = fingerprint(ref, after, self._actions)
            self._left[name_of(ref)] = trace(ref, after, self._both)

    def found(self, change: KubernetesChange, obj: JsonObject) -> None:
        """Note an object that was read because the answer was lost, if it still is what the change makes of it."""
        if after(change, obj) == obj:
            self._left[name_of(change.target)] = trace(change.target, obj, self._both)

    def left(self, step: Step) -> dict[str, str]:
        """Return the traces of the objects that a step changed, as they are after it."""
        names = {name_of(c.target) for c in step.changes if isinstance(c, KubernetesChange)}
        return {name: self._left[name] for name in sorted(names & self._left.keys())}
