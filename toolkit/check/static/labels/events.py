"""What the abstract run meets, in program order: what decisions are based on."""

from __future__ import annotations

from dataclasses import dataclass, field

SCORE = "score"  # a per-token loss on validation tokens is added to a sum
REPORT = "report"  # a bits-per-byte figure is printed
STEP = "step"  # an optimiser changes parameters after a backward pass
LOOKUP = "lookup"  # a table is read under a key made of validation tokens
UPDATE = "update"  # a table is written under a key made of tokens
SOLVE = "solve"  # a closed-form fit to targets
FORWARD = "forward"  # data enters a model without gradient
DEADLINE = "deadline"  # time is compared with a constant
LOAD = "load"  # a model's state is replaced
NATIVE = "native"  # a function of C source in the submission is called
SAVE = "save"  # something is written to a file
READ = "read"  # a file of a known name is opened
NETWORK = "network"  # a download, or an installer
IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    order: int
    file: int
    line: int
    tags: frozenset[str]
    loops: tuple[tuple[int, int], ...]  # (loop, iteration), outermost first
    functions: tuple[str, ...]
    guards: tuple[str, ...]  # settings that opened the enclosing branches: "NAME=value (level)"
    params: frozenset[str] = frozenset()  # STEP: labels of what is optimised; NATIVE: of arguments, with their position
    detail: str = ""
    number: float = 0.0

    @property
    def seconds(self) -> float:
        """The constant of a DEADLINE; large ones are milliseconds."""
        return self.number / 1000 if self.number > 3000 else self.number

    def shared_loops(self, other: Event) -> int:
        """Number of enclosing loops that both are in, in the same iteration."""
        count = 0
        for mine, its in zip(self.loops, other.loops, strict=False):
            if mine != its:
                break
            count += 1
        return count

    def shares_a_loop(self, other: Event) -> bool:
        """Are both in one loop, perhaps in different iterations?"""
        return bool({n for n, _ in self.loops} & {n for n, _ in other.loops})


@dataclass(slots=True)
class Trace:
    events: list[Event] = field(default_factory=list)
    loop_names: dict[int, str] = field(default_factory=dict)  # what a loop counts, as written
    guards: dict[tuple[int, int], tuple[str, ...]] = field(
        default_factory=dict
    )  # settings that opened the way to a line
    reached: set[tuple[int, int]] = field(default_factory=set)  # (file, line) of every statement that was run
    stopped: str = ""  # why the run ended early

    def of(self, kind: str) -> list[Event]:
        return [e for e in self.events if e.kind == kind]
