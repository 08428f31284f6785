"""Where the files that travel with the code lie: `broker/` and `sql/`.

A wheel carries them under `sqal/_data/`; an editable install or a checkout has them in the repository.
"""

from importlib.resources import files
from pathlib import Path


def resource_path(name: str) -> Path:
    """Return the path of `name` ("broker", "sql/schema.sql", …); raise FileNotFoundError when it did not travel."""
    packed = Path(str(files("sqal"))) / "_data" / name
    candidates = [packed, Path(__file__).resolve().parents[1] / name]
    for candidate in candidates:
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{name} is in neither of {', '.join(map(str, candidates))}")
