"""The quantizers by the name that a recipe gives them: one line a method."""

from toolkit.components.settings.hybrid import HYBRID
from toolkit.components.settings.method import Method
from toolkit.components.settings.rounding import GPTQ, PERCENTILE
from toolkit.components.settings.tcq import TCQ

METHODS: dict[str, Method] = {
    "gptq": GPTQ,
    "percentile": PERCENTILE,
    "hybrid": HYBRID,
    "tcq": TCQ,
}
