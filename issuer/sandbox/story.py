"""The story of the demo world, told step by step against a running house.

Everybody comes in by their own door: the partner by the API, staff by the pages, the custodian by
a file, the chains by their nodes. What the house does by itself is only waited for.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings

from issuer.sandbox import cast
from issuer.sandbox.chapters import main_job, second_chain, statement, theft, way_back
from issuer.sandbox.stage import Stage


class Story:
    """Tells the story, once for each demo world."""

    def __init__(self, base_url: str, *, say: Callable[[str], None]) -> None:
        self.base_url = base_url
        self.package = Path(settings.DATA_DIR) / "package"
        self.keys = statement.keys_file()
        self._say = say
        self._told = Path(settings.DATA_DIR) / "sandbox" / "story-told"

    def tell(self, stopping: threading.Event) -> None:
        """Tell the story, unless this world has heard it.

        Raises:
            StoryStuck: if something does not happen in time, or happens otherwise.
            DoorStuck: if a door does not behave as expected.
        """
        if self._told.exists():
            self._say("This demo world has had its story; --fresh tells it again in a new one.")
            return
        began = time.monotonic()
        with Stage(self.base_url, say=self._say, stopping=stopping) as stage:
            main_job.tell(stage)
            statement.tell(stage)
            second_chain.tell(stage)
            way_back.tell(stage)
            theft.tell(stage)
            self.package = statement.tell(stage)
        self._told.touch()
        self._say(f"\nThe story took {time.monotonic() - began:.0f} s.")

    def show_around(self) -> None:
        """Say where everything is, and who may log in."""
        self._say("")
        self._say(f"  public page    {self.base_url}/")
        self._say(f"  back office    {self.base_url}/admin/")
        self._say(f"  partner API    {self.base_url}/api/v1/  (documentation: /api/v1/docs/)")
        for member in cast.STAFF:
            self._say(f"  {member.title:<32} {member.username:<6} {member.password}")
        self._say(f"  {'Partner key':<32} {cast.partner_key()}")
