"""Attributes, modules and imports of the abstract run."""

from __future__ import annotations

import ast

from toolkit.check.static.labels.events import IMPORT
from toolkit.check.static.labels.flow import index_tokens
from toolkit.check.static.labels.values import (
    NO_TAGS,
    UNKNOWN,
    Bound,
    Class,
    External,
    Function,
    Instance,
    Module,
    Super,
    Value,
    data_tags,
)
from toolkit.check.static.state import marks
from toolkit.check.static.state.machine import Frame, Machine


class Attributes(Machine):
    def attribute(self, holder: Value, name: str, node: ast.AST | None) -> Value:
        for ref in holder.refs:
            found = self.attribute_of(ref, holder, name)
            if found is not None:
                return found
        if name in ("_orig_mod", "module") and holder.ref(Instance):  # of a compiled or distributed wrapper
            return holder
        if holder.ref(Instance) and not any(isinstance(r, External) for r in holder.refs):
            return Value(UNKNOWN, data_tags(holder), (External(name, holder),))
        if name in marks.SHAPE:
            return Value(UNKNOWN, NO_TAGS, (External(name, Value()),))
        outside = holder.ref(External)
        dotted = f"{outside.name}.{name}" if isinstance(outside, External) and outside.receiver is None else name
        receiver = None if isinstance(outside, External) and outside.receiver is None else holder
        tags = index_tokens(data_tags(holder), None)
        return Value(UNKNOWN, tags, (External(dotted, receiver),))

    def attribute_of(self, ref: object, holder: Value, name: str) -> Value | None:
        match ref:
            case Instance():
                if name in ref.attributes:
                    if self.read and ref.attributes[name].known:
                        self.read[-1].add((ref, name))
                    return ref.attributes[name]
                found = ref.cls.find(name)
                return self._bind(found[0], holder) if found else None
            case Super():
                for cls in ref.cls.lineage()[1:]:
                    if name in cls.names:
                        return self._bind(cls.names[name], ref.instance)
                return None
            case Class():
                found = ref.find(name)
                if found is None:
                    return None
                function = found[0].ref(Function)
                if isinstance(function, Function) and "classmethod" in function.decorators:
                    return Value(refs=(Bound(found[0], [Value(refs=(ref,))]),))
                value = found[0]
                return Value(value.const, value.tags, value.refs) if value.known else value
            case Module():
                self.load(ref)
                return ref.scope.names.get(name)
        return None

    def _bind(self, value: Value, instance: Value) -> Value:
        function = value.ref(Function)
        if not isinstance(function, Function):
            return Value(value.const, value.tags, value.refs) if value.known else value
        if "staticmethod" in function.decorators:
            return value
        bound = Value(refs=(Bound(value, [instance]),))
        if function.decorators & {"property", "cached_property"}:
            return self.call(bound, [], {}, None)
        return bound

    def load(self, module: Module) -> None:
        """Run a side file's top level once."""
        if module.done:
            return
        module.done = True
        self.frames.append(Frame(f"<{module.name}>", module.scope))
        module.scope.names["__name__"] = Value(module.name)
        try:
            self.run_block(module.tree.body)
        finally:
            self.frames.pop()

    def import_names(self, node: ast.Import | ast.ImportFrom) -> None:
        names = self.frame.scope.names
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.emit(IMPORT, node, detail=alias.name)
                own = self.modules.get(alias.name)
                bound = alias.asname or alias.name.split(".")[0]
                dotted = alias.name if alias.asname else bound
                names[bound] = Value(refs=(own if own else External(dotted),))
            return
        if not node.level:
            self.emit(IMPORT, node, detail=node.module or "")
        own = self.modules.get((node.module or "").split(".")[-1])
        for alias in node.names:
            bound = alias.asname or alias.name
            if own is not None:
                self.load(own)
                if alias.name == "*":
                    names.update(own.scope.names)
                    continue
                found = own.scope.names.get(alias.name)
                if found is not None:
                    names[bound] = found
                    continue
            names[bound] = Value(refs=(External(f"{node.module}.{alias.name}"),))
