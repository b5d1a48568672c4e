"""The fakes of the action tests are shared with the played flows."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "actions"))
