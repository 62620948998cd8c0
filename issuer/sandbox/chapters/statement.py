"""A statement of reserves by two officers, downloaded and checked as a stranger would."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path

from django.conf import settings

from issuer.attestation.models import Attestation
from issuer.attestation.states import AttestationState
from issuer.parties.models import Program
from issuer.sandbox import cast
from issuer.sandbox.stage import Document, Stage, StoryStuck

_PAGE = "/admin/attestation/attestation"


def keys_file() -> Path:
    """Return where the public keys are kept, which a checker gets elsewhere than the package."""
    return Path(settings.DATA_DIR) / "keys.json"


def tell(stage: Stage) -> Path:
    """Tell it; return the folder of the package.

    Raises:
        StoryStuck: if something does not happen in time, or happens otherwise.
        DoorStuck: if a door does not behave as expected.
    """
    stage.begin("The attestation: proposed and confirmed by two officers, signed, published")
    program = Program.objects.get(code=cast.PROGRAM_CODE)
    stage.by_officer(f"{_PAGE}/add/", program=str(program.pk))
    frozen = Attestation.objects.get(state=AttestationState.FROZEN)
    stage.by_approver(f"{_PAGE}/{frozen.pk}/acts/confirm/")
    statement = stage.wait_for(
        "the attestation on the public API", lambda: published(stage, frozen.sequence)
    )
    package = download(stage, statement)
    check(stage, package)
    return package


def published(stage: Stage, sequence: int) -> Document | None:
    """Return the statement of that number as the public API has it, if it is out."""
    statements: list[Document] = stage.anybody.get("attestations")["results"]
    return next((one for one in statements if one["sequence"] == sequence), None)


def download(stage: Stage, statement: Document) -> Path:
    """Download a package as anybody would, and the keys; return the folder of the package."""
    folder = Path(settings.DATA_DIR) / "package"
    with zipfile.ZipFile(io.BytesIO(stage.anybody.download(statement["package"]))) as packed:
        packed.extractall(folder)
        package = folder / packed.namelist()[0].partition("/")[0]
    keys_file().write_bytes(stage.anybody.download(f"{stage.base_url}/keys.json"))
    stage.say(f"    statement {statement['sequence']}: {statement['status']}")
    return package


def check(stage: Stage, package: Path) -> None:
    """Check a package with its own verifier.

    Raises:
        StoryStuck: if it does not check.
    """
    verifier = package / "verify_offline.py"
    checked = subprocess.run(
        [sys.executable, "-I", str(verifier), str(package), "--keys", str(keys_file())],
        capture_output=True,
        text=True,
        check=False,
    )
    for line in checked.stdout.splitlines():
        stage.say(f"    {line}")
    if checked.returncode != 0:
        raise StoryStuck(f"The package does not check: {checked.stdout}{checked.stderr}")
