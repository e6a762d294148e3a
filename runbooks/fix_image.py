"""Fix the image: the container's image cannot be pulled, and an earlier revision ran one that could.

Changes the one image and leaves everything else of the newer revision as it is.
"""

from copilot.actions.set_image import SetImage
from copilot.core.case import Diagnosis
from copilot.core.cluster import ClusterDump
from copilot.core.plan import Proposal
from runbooks.base import Runbook, container, metadata, named, proposal, ready, workload
from runbooks.revisions import history, revision, template_of

NAME = "fix_image"


def propose(diagnosis: Diagnosis, dump: ClusterDump) -> Proposal | None:
    """Return the image that the newest earlier revision with another one ran."""
    found = workload(diagnosis, dump)
    one = container(found, diagnosis) if found is not None else None
    if found is None or one is None:
        return None
    for old in history(found, dump):
        images = {c.get("name"): c.get("image") for c in template_of(old).get("containers") or ()}
        image = images.get(one["name"])
        if revision(old) < revision(found) and image and image != one.get("image"):
            action = SetImage.of({**named(found), "container": one["name"], "image": image})
            title = f"Run {image} again in {metadata(found)['name']}"
            return proposal(NAME, diagnosis, action, title=title, checks=(ready(found),))
    return None


RUNBOOK = Runbook(
    name=NAME,
    summary="The image that an earlier revision could pull.",
    causes=("image_not_found", "missing_image_pull_secret", "bad_release", "memory_leak"),
    propose=propose,
)
