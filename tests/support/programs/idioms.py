"""What programs of `programs.py` never write by themselves. `{x}`, `{y}`, `{z}` are variables, `{f}` a function."""

IDIOMS = (
    """\
def {f}():
    global {x}, late
    late = {x} = {value}
{f}()
def {f}():
    global late
    del late
print(late)
{f}()
print('late' in globals())""",
    """\
def {f}({x}):
    class {x}:
        global {y}
        {y} = {z} = {value}
        {x} = [{z} for {z} in range(2)]
    return {x}.{x}, {x}.{z}
print({f}(1), {y})""",
    """\
{x} = {value}
class {y}:
    {x} = {x} + 1
    {z} = [{x} for _ in range(2)]
    def {f}(self, {y}={x}):
        __local = {x} + {y}
        return __local, __class__.{x}
print({y}.{x}, {y}.{z}, {y}().{f}(), {y}().{f}({y}=3))""",
    """\
def {f}():
    global {x}
    import math as {x}
    from os import path as {y}
    return {y}.join("a", "b")
print({f}(), {x}.floor(2.5))""",
    """\
class {y}:
    def __{f}(self):
        return {value}
    def {x}(self, __{z}=2):
        __inner = lambda __{z}: __{z} + self.__{f}()
        return __inner(__{z}), getattr(self, "_{y}__{f}")()
print({y}().{x}())""",
    """\
def {f}({x}, {y}=1):
    def {z}():
        nonlocal {x}
        {x} += {y}
        return sorted(locals())
    return len({z}()), {x}, eval("{x}"), [{y} for {x} in range({x} % 3)]
print({f}({value}))""",
    """\
def {f}():
    try:
        return {x}
    except UnboundLocalError:
        return "unbound"
    finally:
        for {x} in ():
            pass
print({f}())""",
    """\
async def {f}({x}, *, {y}={value}):
    return [{z} async for {z} in {f}_items({x})] + [{y}]
async def {f}_items({z}):
    for {x} in range({z}):
        yield {x}
import asyncio
print(asyncio.run({f}(2, {y}=5)))""",
    """\
print(*map(lambda {x}, {y}={value}: {x} + {y}, [1, 2]), sep='|')
print([({x}, {y}) for {x} in range(2) for {y} in range({x} + 1) if ({z} := {x} + {y}) < 5], {z})""",
    """\
if ({x} := {value}) is not None and True:
    if True: {y} = {x}
    else: {y}: int = 0
while True:
    {z} = {x}; break
print({x}, {y}, {z})""",
)
