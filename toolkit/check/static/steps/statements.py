"""Statements of the abstract run."""

from __future__ import annotations

import ast

from toolkit.check.static.labels.values import Value
from toolkit.check.static.state.machine import BREAK, CONTINUE, NEXT, RETURN
from toolkit.check.static.steps.branches import Branches
from toolkit.check.static.steps.classes import Classes
from toolkit.check.static.steps.loops import Loops


class Statements(Branches, Loops, Classes):
    def run_block(self, body: list[ast.stmt]) -> str:
        for statement in body:
            status = self.run_statement(statement)
            if status != NEXT:
                return status
        return NEXT

    def run_statement(self, node: ast.stmt) -> str:
        self.enter()
        place = (self.frame.scope.module.number, node.lineno)
        self.trace.reached.add(place)
        if self.guards:
            self.trace.guards.setdefault(place, tuple(dict.fromkeys(self.guards)))
        try:
            return self._statement(node)
        finally:
            self.depth -= 1

    def _statement(self, node: ast.stmt) -> str:
        match node:
            case ast.Expr():
                self.evaluate(node.value)
            case ast.Assign():
                value = self.evaluate(node.value)
                for target in node.targets:
                    self.assign(target, value, node)
            case ast.AnnAssign():
                if node.value is not None:
                    self.assign(node.target, self.evaluate(node.value), node)
            case ast.AugAssign():
                self.augment(node)
            case ast.If():
                return self.run_if(node)
            case ast.For() | ast.AsyncFor():
                return self.run_for(node)
            case ast.While():
                return self.run_while(node)
            case ast.Return():
                self.frame.returns.append(self.evaluate(node.value) if node.value else Value(None))
                return RETURN
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.frame.scope.names[node.name] = self.function_value(node)
            case ast.ClassDef():
                self.run_class(node)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.evaluate(item.context_expr)
                    if item.optional_vars is not None:
                        self.assign(item.optional_vars, value, node)
                return self.run_block(node.body)
            case ast.Try() | ast.TryStar():
                return self.run_try(node)
            case ast.Import() | ast.ImportFrom():
                self.import_names(node)
            case ast.Global():
                self.frame.scope.globals_ |= set(node.names)
            case ast.Nonlocal():
                self.frame.scope.nonlocals |= set(node.names)
            case ast.Raise():
                return RETURN
            case ast.Break():
                return BREAK
            case ast.Continue():
                return CONTINUE
            case ast.Match():
                self.evaluate(node.subject)
                return self.branches([case.body for case in node.cases])
            case ast.Delete():
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        self.frame.scope.names.pop(target.id, None)
            case _:
                pass
        return NEXT
