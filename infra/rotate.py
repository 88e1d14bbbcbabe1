"""python -m infra.rotate token | webhook | sealing  FOLDER: put a new key first in a secrets folder; nothing is restarted.

The token key and the webhook key before it stay valid until the next rotation: rotate no faster than ten minutes (the life
of a token) and a day (what receivers may keep of our keys). Sealing keys are kept for ever: what they sealed is still there.
"""

import json
import sys
from pathlib import Path

from joserfc.jwk import ECKey, OKPKey

from shared.auth import TokenSigner
from shared.keyfiles import pem_blocks, replace
from shared.sealing import new_key

KEPT = 2


def rotate(kind: str, folder: Path) -> None:
    """One rotation. The public half is published before the private one is used, so that no verifier is taken unawares."""
    match kind:
        case "token":
            _token(folder)
        case "webhook":
            path = folder / "webhook_key.pem"
            fresh = OKPKey.generate_key("Ed25519").as_pem(private=True).decode()
            replace(path, _before(fresh, path))
        case "sealing":
            path = folder / "sealing.key"
            replace(path, f"{new_key()}\n{path.read_text().strip()}\n")
        case _:
            raise ValueError(kind)


def _token(folder: Path) -> None:
    path = folder / "token_key.pem"
    keys = _before(ECKey.generate_key("P-256").as_pem(private=True).decode(), path)
    replace(folder / "jwks.json", json.dumps(TokenSigner.from_text(keys, "").jwks()))
    replace(path, keys)


def _before(fresh: str, path: Path) -> str:
    return "\n".join(block.strip() for block in [fresh, *pem_blocks(path.read_text())][:KEPT]) + "\n"


def main(arguments: list[str]) -> None:
    if len(arguments) != 2 or arguments[0] not in ("token", "webhook", "sealing"):
        sys.exit(__doc__)
    kind, folder = arguments[0], Path(arguments[1])
    rotate(kind, folder)
    sys.stdout.write(f"{kind}: a new key is in use in {folder}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
