"""`manage.py demo` brings up the demo world and tells its story."""

import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from issuer.operations import parts
from issuer.operations.supervisor import CannotStart, Part, Step, Supervisor
from issuer.sandbox import anvil, pager, world
from issuer.sandbox.chains import CHAINS, DemoChain
from issuer.sandbox.doors import DoorStuck
from issuer.sandbox.stage import StoryStuck
from issuer.sandbox.story import Story

#: Set for the process that `--once` starts in surroundings of its own.
_OWN_SURROUNDINGS = "DEMO_IN_OWN_SURROUNDINGS"


class Command(BaseCommand):
    """Bring up the whole back office with a demo world around it, and run its main job."""

    help = (
        "Run everything that `up` runs, two development chains and a custodian, and tell the story "
        "from a partner's request to an attestation. Leaves all of it running; Ctrl-C stops it."
    )
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--once",
            action="store_true",
            help="start from nothing in a directory and on ports of its own, tell the story, stop "
            "everything, and print where the attestation package and the public keys are",
        )
        parser.add_argument(
            "--fresh",
            action="store_true",
            help="throw the demo world of an earlier start away and begin anew",
        )
        parser.add_argument("--host", default=settings.HOST, help="where to listen")
        parser.add_argument("--port", default=settings.PORT, type=int, help="where to listen")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.SANDBOX:
            raise CommandError("The demo world runs with SANDBOX=1 only, never beside real books.")
        if options["once"] and _OWN_SURROUNDINGS not in os.environ:
            _start_in_own_surroundings()
        story = Story(f"http://{options['host']}:{options['port']}", say=self._say)
        try:
            Supervisor(
                self._stages(fresh=options["fresh"], host=options["host"], port=options["port"]),
                data_directory=settings.DATA_DIR,
                say=self._say,
            ).run(lambda stopping: self._alongside(story, stopping, once=options["once"]))
        except (CannotStart, DoorStuck, StoryStuck, anvil.AnvilMissing) as exc:
            raise CommandError(str(exc)) from exc
        if options["once"]:
            _keep_only(story.package, story.keys)
            self._say(f"package: {story.package}")
            self._say(f"keys: {story.keys}")

    def _stages(self, *, fresh: bool, host: str, port: int) -> list[Part | Step]:
        stages: list[Part | Step] = [Step("demo world", world.throw_away)] if fresh else []
        return [
            *stages,
            *(chain_part(chain) for chain in CHAINS),
            *parts.machine(host=host, port=port),
            Step("demo world", world.build),
            outside(),
        ]

    def _alongside(self, story: Story, stopping: threading.Event, *, once: bool) -> None:
        story.tell(stopping)
        if not once:
            story.show_around()
            stopping.wait()

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def chain_part(chain: DemoChain) -> Part:
    """A development chain, saved at intervals and going on from there."""
    folder = chain.state_file.parent

    def prepare() -> None:
        folder.mkdir(parents=True, exist_ok=True)
        parts.require_free(anvil.HOST, chain.port)

    return Part(
        name=f"chain-{chain.chain_id}",
        address=f"{chain.caip2} at {chain.url}",
        prepare=prepare,
        command=lambda: anvil.command(
            port=chain.port,
            chain_id=chain.chain_id,
            state_file=chain.state_file,
            block_time_seconds=1,
        ),
        is_ready=lambda: chain.anvil().ready,
        directory=folder,
    )


def outside() -> Part:
    """The custodian, and the time on the chains."""
    return Part(
        name="outside",
        address="custodian, market clock and pager",
        prepare=lambda: parts.require_free(pager.HOST, settings.PAGER_PORT),
        command=lambda: [sys.executable, str(settings.BASE_DIR / "manage.py"), "outside"],
        directory=settings.BASE_DIR,
    )


def _start_in_own_surroundings() -> None:
    """Become the same command with a directory and ports that nobody else uses."""
    folder = Path(tempfile.mkdtemp(prefix="issuer-demo-"))
    folder.chmod(0o755)  # PostgreSQL may run as another user
    port = anvil.free_port()
    surroundings = {
        **os.environ,
        _OWN_SURROUNDINGS: "1",
        "DATA_DIR": str(folder),
        "PORT": str(port),
        "PUBLIC_URL": f"http://{settings.HOST}:{port}",
        "PAGER_PORT": str(anvil.free_port()),
        **{chain.port_setting: str(anvil.free_port()) for chain in CHAINS},
    }
    os.execve(sys.executable, [sys.executable, *sys.argv], surroundings)


def _keep_only(*kept: Path) -> None:
    """Remove what the demo world left, but for what a checker is handed."""
    for path in settings.DATA_DIR.iterdir():
        if not any(path == one or path in one.parents for one in kept):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
