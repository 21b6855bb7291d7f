"""The peers in a virtual environment of their own, behind which ours can still be seen; their pins stay theirs.

enter(folder)              -> the same script, run by the Python of ``folder``
missing("pyctcdecode")     -> why it is not there, or nothing
"""

import json
import os
import site
import subprocess
import sys
import venv
from pathlib import Path

PEERS = {
    "pyctcdecode": ["pyctcdecode==0.5.0", "pygtrie==2.5.0", "kenlm-ex==0.2.1"],
    "ctc-beam-decoder": ["ctc-beam-decoder==0.2.0"],
    "flashlight-text": ["flashlight-text==0.0.7"],
    "fast-ctc-decoder": ["fast-ctc-decoder==0.3.9"],
    "pocketsphinx": ["pocketsphinx==5.1.1"],
}
"""What pip installs for each, without dependencies: pyctcdecode asks for an old numpy and runs with ours."""
FOLDER = Path(__file__).parents[1] / ".venv-peers"
_NOTES = "peers.json"


def enter(folder: Path) -> None:
    """Go on in the peers' environment, which is made if it is not there; returns once inside."""
    if Path(sys.prefix).resolve() == folder.resolve():
        return
    if not _is_ready(folder):
        _create(folder)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    python = str(folder / "bin" / "python")
    sys.stdout.flush()
    os.execve(python, [python, *sys.argv], environment)


def missing(peer: str) -> str:
    """Why a peer is not installed; empty if it is."""
    return str(_notes(Path(sys.prefix)).get(peer, {}).get("failed") or "installed, but it cannot be imported")


def _notes(folder: Path) -> dict[str, dict[str, object]]:
    path = folder / _NOTES
    return json.loads(path.read_text()) if path.is_file() else {}


def _is_ready(folder: Path) -> bool:
    """Whether what should be installed has been tried; one that failed is not tried again."""
    return {peer: note["packages"] for peer, note in _notes(folder).items()} == PEERS


def _create(folder: Path) -> None:
    print(f"installing the peers in {folder}", flush=True)
    venv.create(folder, with_pip=True, clear=True)
    notes = {
        peer: {"packages": packages, "failed": _install(folder, packages)} for peer, packages in PEERS.items()
    }
    _show_ours(folder)
    (folder / _NOTES).write_text(json.dumps(notes, indent=1))


def _install(folder: Path, packages: list[str]) -> str:
    """What pip complained of, nothing if it did not."""
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", *packages]
    done = subprocess.run(pip, capture_output=True, text=True)
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return f"not installed: {(lines or ['pip failed'])[-1][:100]}" if done.returncode else ""


def _show_ours(folder: Path) -> None:
    """A .pth file with our packages, which come after theirs; asr itself may be an editable installation."""
    theirs = next((folder / "lib").glob("python*/site-packages"))
    lines = [f"import site; site.addsitedir({path!r})\n" for path in site.getsitepackages()]
    (theirs / "zz_ours.pth").write_text("".join(lines))
