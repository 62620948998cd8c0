"""Bring in what this machine lacks: system libraries, Python packages, and the contracts' tools.

`setup.py demo` and `setup.py test` differ in what they need. What is there already is found by
trying it, not by the names of packages, and is not installed again; a second run installs nothing.
Only the standard library is used, since nothing else is there yet.
"""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
CONTRACTS = ROOT / "issuer" / "chain" / "contracts"
FONT_DIRECTORIES = (
    "/usr/share/fonts",
    "/usr/local/share/fonts",
    "~/.fonts",
    "~/.local/share/fonts",
)


class Need(NamedTuple):
    """Something of the system: how to see whether it is there, and what Debian calls it."""

    what: str
    package: str
    present: Callable[[], bool]


def library(*names: str) -> Callable[[], bool]:
    """Return a test that the dynamic libraries can be loaded."""

    def present() -> bool:
        try:
            for name in names:
                ctypes.CDLL(name)
        except OSError:
            return False
        return True

    if sys.platform != "linux":  # elsewhere libraries have other names; WeasyPrint finds them
        return lambda: True
    return present


def command(*names: str) -> Callable[[], bool]:
    """Return a test that one of the commands is there."""
    return lambda: any(shutil.which(name) for name in names)


def has_venv() -> bool:
    """Return whether this Python can make virtual environments with pip in them."""
    probe = subprocess.run(
        [sys.executable, "-c", "import ensurepip, venv"], capture_output=True, check=False
    )
    return PYTHON.exists() or probe.returncode == 0


def has_font() -> bool:
    """Return whether there is any font, without which a document has no letters."""
    directories = (Path(name).expanduser() for name in FONT_DIRECTORIES)
    fonts = (found for directory in directories for found in directory.rglob("*.[to]tf"))
    return sys.platform == "darwin" or next(fonts, None) is not None


DEMO = [
    Need("Python's venv with pip", "python3-venv", has_venv),
    Need("libpango", "libpango-1.0-0", library("libgobject-2.0.so.0", "libpango-1.0.so.0")),
    Need("libpangoft2", "libpangoft2-1.0-0", library("libpangoft2-1.0.so.0")),
    Need("libharfbuzz-subset", "libharfbuzz-subset0", library("libharfbuzz-subset.so.0")),
    Need("a font", "fonts-dejavu-core", has_font),
    Need("npm", "npm", command("npm")),
]
TEST = [
    *DEMO,
    Need("chromium", "chromium", command("chromium", "chromium-browser", "google-chrome")),
    Need("pdftoppm", "poppler-utils", command("pdftoppm")),
]


def main(purpose: str) -> None:
    """Bring in everything for `purpose`, which is `demo` or `test`."""
    require_system(TEST if purpose == "test" else DEMO)
    require_packages(ROOT / ("tests/requirements.txt" if purpose == "test" else "requirements.txt"))
    require_contract_tools()


def require_system(needs: Sequence[Need]) -> None:
    """Install what is missing with apt, or name it, and how to get it, and give up."""
    missing = [need for need in needs if not need.present()]
    if not missing:
        return
    packages = [need.package for need in missing]
    tell(f"Missing: {', '.join(need.what for need in missing)}.")
    by_hand = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if shutil.which("apt-get") is None:
        sys.exit(f"There is no apt-get here. On Debian they come by: {by_hand}")
    if os.geteuid() != 0:
        sys.exit(f"Only root may install them. Run: sudo {by_hand}")
    tell(f"Installing {' '.join(packages)}.")
    apt("update")
    apt("install", "--yes", "--no-install-recommends", *packages)
    still = [need.what for need in missing if not need.present()]
    if still:
        sys.exit(f"Still missing after {by_hand}: {', '.join(still)}.")


def apt(*arguments: str) -> None:
    """Run apt-get without questions, waiting for whoever else runs it."""
    run(
        ["apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", *arguments],
        environment={"DEBIAN_FRONTEND": "noninteractive"},
    )


def require_packages(lock: Path) -> None:
    """Install the Python packages of `lock` into the virtual environment, unless they are there."""
    stamp = VENV / f".installed-{lock.parent.name if lock.parent != ROOT else 'issuer'}"
    version = "{}.{}".format(*sys.version_info)
    state = hashlib.sha256(version.encode() + lock.read_bytes()).hexdigest()
    if runs(PYTHON) and stamp.exists() and stamp.read_text() == state:
        return
    if not runs(PYTHON):
        tell(f"Making {VENV.name} with Python {version}.")
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    tell(f"Installing the packages of {lock.relative_to(ROOT)}.")
    if has_uv():
        uv = [str(VENV / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(PYTHON)]
        run([*uv, "--require-hashes", "-r", str(lock)])
    else:
        pip("--require-hashes", "-r", str(lock))
    stamp.write_text(state)


def runs(python: Path) -> bool:
    """Return whether the virtual environment's Python works, and is new enough."""
    probe = "import sys; sys.exit(sys.version_info < (3, 11))"
    return (
        python.exists() and subprocess.run([str(python), "-c", probe], check=False).returncode == 0
    )


def has_uv() -> bool:
    """Return whether uv is there or can be had: it installs many times as fast as pip."""
    if (VENV / "bin" / "uv").exists():
        return True
    locked = (ROOT / "tests" / "requirements.txt").read_text()
    pinned = re.search(r"^uv==.*(?:\n {4}--hash=.*)+", locked, re.MULTILINE)
    if pinned is None:
        return False
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as only_uv:
        only_uv.write(pinned.group().rstrip("\\ ") + "\n")
        only_uv.flush()
        try:
            pip("--require-hashes", "-r", only_uv.name)
        except SystemExit:
            return False  # there is none for this system; pip does the work then
    return True


def pip(*arguments: str) -> None:
    """Run pip in the virtual environment."""
    run([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments])


def require_contract_tools() -> None:
    """Install the compiler and the development chain beside the contracts."""
    stamp = CONTRACTS / "node_modules" / ".installed"
    state = hashlib.sha256((CONTRACTS / "package-lock.json").read_bytes()).hexdigest()
    if stamp.exists() and stamp.read_text() == state:
        return
    tell("Installing the contracts' tools.")
    run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], directory=CONTRACTS)
    stamp.write_text(state)


def run(
    arguments: Sequence[str],
    *,
    directory: Path = ROOT,
    environment: dict[str, str] | None = None,
) -> None:
    """Run a program; what it says is shown if it fails, and then so do we."""
    done = subprocess.run(
        arguments,
        cwd=directory,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{done.stdout}\nFailed: {' '.join(arguments)}")


def tell(line: str) -> None:
    """Say what is being done."""
    print(line, flush=True)


if __name__ == "__main__":
    if sys.argv[1:] not in (["demo"], ["test"]):
        sys.exit("Usage: setup.py demo|test")
    main(sys.argv[1])
