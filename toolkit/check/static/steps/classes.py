"""Class statements of the abstract run."""

from __future__ import annotations

import ast

from toolkit.check.static.labels.syntax import assigned_names
from toolkit.check.static.labels.values import Class, Scope, Value
from toolkit.check.static.state.machine import Frame, Machine


class Classes(Machine):
    def run_class(self, node: ast.ClassDef) -> None:
        outer = self.frame.scope
        bases = [self.evaluate(base) for base in node.bases]
        scope = Scope({}, outer, outer.module)
        fields = [s.target.id for s in node.body if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name)]
        cls = Class(node.name, bases, scope.names, fields)
        self.frames.append(Frame(node.name, scope, cls))
        try:
            for statement in node.body:
                if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef):
                    scope.names[statement.name] = self.function_value(statement, cls)
                else:
                    self.run_statement(statement)
                    self._from_log(statement, scope)
        finally:
            self.frames.pop()
        # The scope's dictionary may have been replaced while branches were walked.
        cls.names = scope.names
        for decorator in node.decorator_list:
            self.evaluate(decorator)
        outer.names[node.name] = Value(refs=(cls,))

    def _from_log(self, statement: ast.stmt, scope: Scope) -> None:
        """An attribute of a settings class takes the value that the log printed for it."""
        if not self.settings.log or "environ" not in ast.dump(statement):
            return
        for name in assigned_names([statement]):
            found = self.settings.log.get(name.lower())
            if found is not None:
                scope.names[name] = Value(_logged_constant(found), frozenset({f"cfg:{name}={found} (log)"}))


def _logged_constant(text: str) -> object:
    """A value as `print` shows it, back as a constant."""
    try:
        return ast.literal_eval(text[:200])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
