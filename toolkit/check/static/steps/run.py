"""An abstract run of a script from its entry, under its effective settings: nothing of it is executed.

Branches whose condition folds to a constant are followed one way, others both ways. Calls are followed into the
program's functions with their actual arguments. What decisions are based on is recorded as events in program order.
"""

from __future__ import annotations

from toolkit.check.static.steps.attributes import Attributes
from toolkit.check.static.steps.calls import Calls
from toolkit.check.static.steps.containers import Containers
from toolkit.check.static.steps.expressions import Expressions
from toolkit.check.static.steps.statements import Statements


class Run(Statements, Expressions, Containers, Attributes, Calls):
    """All parts of a run."""
