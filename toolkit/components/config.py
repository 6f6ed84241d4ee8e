"""A recipe as frozen dataclasses, one for each section of `settings/`; importable without torch.

Components receive one `Config`, always under the name `cfg`, and read it as `cfg.section.field` at the place of use.
The bundler replaces each such read by its literal value, so a feature that is off leaves no code behind. Every field
must therefore be a number, string, boolean or tuple of these. Values that change from run to run (paths, seed, clock)
are not here but in `setup/environment.py`.
"""

import hashlib
import json
from dataclasses import dataclass, fields

from toolkit.components.settings.artifact import Artifact
from toolkit.components.settings.data import Data
from toolkit.components.settings.evaluate import Evaluate
from toolkit.components.settings.field import check_settings, one_of, setting
from toolkit.components.settings.hybrid import Hybrid
from toolkit.components.settings.model import Model
from toolkit.components.settings.optimizer import Optimizer
from toolkit.components.settings.ppm_seed import PpmSeed
from toolkit.components.settings.ppm_trie import PpmTrie
from toolkit.components.settings.quantize import Quantize
from toolkit.components.settings.section import Section
from toolkit.components.settings.tcq import Tcq
from toolkit.components.settings.train import Train

TRACKS = ("10min_16mb", "non-record-16mb", "non-record-unlimited-compute-16mb")


@dataclass(frozen=True)
class Config:
    """One recipe. `name` is the file's stem."""

    name: str = "unnamed"
    title: str = setting("Unnamed", "name of the submission")
    track: str = setting("non-record-16mb", "of the competition, as in submission.json", one_of(*TRACKS))
    model: Model = Model()
    data: Data = Data()
    optimizer: Optimizer = Optimizer()
    train: Train = Train()
    quantize: Quantize = Quantize()
    hybrid: Hybrid = Hybrid()
    tcq: Tcq = Tcq()
    artifact: Artifact = Artifact()
    evaluate: Evaluate = Evaluate()
    ppm_seed: PpmSeed = PpmSeed()
    ppm_trie: PpmTrie = PpmTrie()

    def __post_init__(self) -> None:
        check_settings(self)
        for section in self.sections():
            section.check(self)

    def sections(self) -> list[Section]:
        """All sections, used by the recipe or not."""
        values = (getattr(self, field.name) for field in fields(self))
        return [value for value in values if isinstance(value, Section)]

    @property
    def settings(self) -> tuple[str, ...]:
        """`key: value` of the settings that a run's log shows, of the sections in use; see `setting` for which.

        Names are the competition's where it has one.
        """
        values = {"recipe": self.name, "title": self.title, "track": self.track}
        for section in self.sections():
            if section.on(self):
                values |= section.logged()
        return tuple(f"{key}: {list(value) if isinstance(value, tuple) else value}" for key, value in values.items())

    @property
    def artifact_id(self) -> str:
        """Sixteen hex digits over everything that decides how an artifact is read; evaluation may change without it.

        Settings at their default are left out, so that a new one refuses no artifact written before it. A default can
        therefore not change: an old artifact would pass for one of the new.
        """
        parts = [section for section in self.sections() if section.reads_artifact and section.on(self)]
        values = {f"{section.name}.{key}": value for section in parts for key, value in section.changed()}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
