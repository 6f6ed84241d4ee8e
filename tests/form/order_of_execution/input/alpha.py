"""Named before its base, stands behind it."""

from toolkit.components.zeta import LIMIT, Base


class Child(Base):
    def size(self, limit: int = LIMIT) -> int:
        return limit + 1
