"""Set the image of one container of a workload."""

from typing import ClassVar

from copilot.actions.base import Seen, kubectl, patch
from copilot.actions.names import Image
from copilot.actions.workload import ContainerAction
from copilot.core.plan import ActionCall, Change, Risk
from copilot.errors import InvalidInput


class SetImage(ContainerAction):
    """Set ``image``; the pods are replaced in a rolling way."""

    name: ClassVar[str] = "set_image"
    summary: ClassVar[str] = "Set the image of a container."
    image: Image

    @property
    def risk(self) -> Risk:
        """Return DISRUPTIVE."""
        return Risk.DISRUPTIVE

    def changes(self, seen: Seen) -> tuple[Change, ...]:
        """Return one strategic patch of the container's image."""
        if self.seen_container(seen).get("image") == self.image:
            raise InvalidInput(f"{self.target} already runs {self.image!r}.")
        return patch(seen, self.target, self.template_patch({"image": self.image}), strategic=True)

    def command(self) -> str:
        """Return the ``kubectl set image`` line."""
        return kubectl(self.target, "set", "image", self.slashed, f"{self.container}={self.image}")

    def inverse(self, seen: Seen) -> ActionCall | None:
        """Return the image that was seen."""
        before = str(self.seen_container(seen).get("image", ""))
        return self.model_copy(update={"image": before}).call()


ACTION = SetImage
