"""Scripts for the static rules: one that trains and scores as it may, and pieces that turn it into others."""

import textwrap

HEAD = """
import os, time, glob
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

data = "data"
cap_seconds = float(os.environ.get("CAP", 600.0))

def load(pattern):
    files = sorted(glob.glob(pattern))
    return torch.cat([torch.from_numpy(np.fromfile(f, dtype="<u2")) for f in files])

class GPT(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(1024, 64)
        self.head = nn.Linear(64, 1024)
    def logits(self, x):
        return self.head(self.embed(x))
    def forward(self, x, y):
        return F.cross_entropy(self.logits(x).reshape(-1, 1024), y.reshape(-1))

def train(model, tokens):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    start = time.perf_counter()
    step = 0
    while True:
        chunk = tokens[step * 64 : step * 64 + 65]
        loss = model(chunk[:-1], chunk[1:])
        loss.backward()
        optimizer.step()
        step += 1
        if time.perf_counter() - start >= cap_seconds:
            break
"""
SCORE = """
def evaluate(model, tokens):
    total = 0.0
    for start in range(0, tokens.numel() - 1, 64):
        chunk = tokens[start : start + 65]
        x, y = chunk[:-1], chunk[1:]
        nll = F.cross_entropy(model.logits(x), y, reduction="none")
        total += nll.sum().item()
    return total
"""
MAIN = """
def main():
    model = GPT()
    train(model, load(os.path.join(data, "fineweb_train_*.bin")))
    val = load(os.path.join(data, "fineweb_val_*.bin"))
    {before}
    bpb = evaluate(model, val)
    print(f"final val_bpb:{{bpb:.4f}}")

if __name__ == "__main__":
    main()
"""
NGRAM = """
key = (x * 36313) & 4095
full = ((x * 36313) ^ (y * 27191)) & 4095
p = pairs[full] / contexts[key].clamp(min=1)
score = -torch.log(0.5 * torch.exp(-nll) + 0.5 * p)
contexts.scatter_add_(0, key, torch.ones(64))
pairs.scatter_add_(0, full, torch.ones(64))
"""
NGRAM_SETUP = "contexts = torch.zeros(4096)\npairs = torch.zeros(4096)"
HINT = """
key = (x * 36313) & 4095
hint = best[key]
boost = torch.where(hint >= 0, 1.0, 0.0)
q = torch.softmax(logits, -1).gather(1, hint[:, None])
score = nll - boost * (y == hint) + torch.log1p(q * (torch.exp(boost) - 1))
best[key] = y
"""
GATE = """
p = torch.exp(-nll)
lam = torch.where({condition}, 0.05, 0.9)
score = -torch.log(lam * p + (1 - lam) * counts[x])
"""
LOSSES = """
def evaluate(model, tokens):
    losses, targets = [], []
    for start in range(0, tokens.numel() - 1, 64):
        chunk = tokens[start : start + 65]
        losses.append(F.cross_entropy(model.logits(chunk[:-1]), chunk[1:], reduction="none"))
        targets.append(chunk[1:])
    nll, target = torch.cat(losses), torch.cat(targets)
"""
SPREAD = (
    LOSSES
    + """    tables, history, total = {{}}, b"", 0.0
    pieces = [b"a", b"bc"]
    for i in range(len(target)):
        piece = pieces[int(target[i])]
        each = -float(nll[i]) / {length}
        for byte in piece:
            counts = tables.get(history)
            if counts is None:
                counts = {{}}
            p = counts.get(byte, 0) / (1 + sum(counts.values()))
            {mix}
            tables[history] = counts
            counts[byte] = counts.get(byte, 0) + 1
            history = (history + bytes([byte]))[-4:]
    return total
"""
)
BLEND = "total -= np.log(0.5 * np.exp(each) + 0.5 * p)"
SLOT = """
delta = torch.zeros(1, 1024, requires_grad=True)
fit = torch.optim.AdamW([delta], lr=0.01)
for _ in range(8):
    F.cross_entropy({fitted}).backward()
    fit.step()
score = F.cross_entropy(logits + delta, y, reduction='none')[32:]
"""
ADAPT = """
def adapt(model, tokens):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for epoch in range(3):
        for start in range(0, tokens.numel() - 1, 64):
            chunk = tokens[start : start + 65]
            loss = model(chunk[:-1], chunk[1:])
            loss.backward()
            optimizer.step()
"""
SCORE_FIRST = """
def evaluate(model, tokens):
    total = 0.0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for start in range(0, tokens.numel() - 1, 64):
        chunk = tokens[start : start + 65]
        x, y = chunk[:-1], chunk[1:]
        {first}
        {second}
    return total
"""
TAKE_SCORE = "with torch.no_grad(): total += F.cross_entropy(model.logits(x), y, reduction='none').sum().item()"
TAKE_STEPS = """for epoch in range(3):
            model(x, y).backward()
            optimizer.step()"""
CALIBRATE = """
def collect_hessians(model, tokens):
    sums = {}
    model.head.register_forward_hook(lambda module, inputs, output: sums.update(h=inputs[0]))
    for i in range(8):
        model.logits(tokens[i * 64 : i * 64 + 64])
    return sums
"""
PAID = """
stored = torch.from_numpy(np.frombuffer(open({path}, 'rb').read(), dtype='<u2'))
score = nll * ~(stored[start : start + 64] == {against})
"""


def script(evaluate: str = SCORE, before: str = "pass", head: str = HEAD) -> str:
    return head + textwrap.dedent(evaluate) + MAIN.format(before=before)


def scoring(body: str, setup: str = "pass") -> str:
    """An evaluation that scores windows in order; `body` turns nll, x, y, start into what is summed as `score`."""
    return (
        "def evaluate(model, tokens):\n    total = 0.0\n"
        + textwrap.indent(textwrap.dedent(setup), "    ")
        + "\n    for start in range(0, tokens.numel() - 1, 64):\n"
        "        chunk = tokens[start : start + 65]\n        x, y = chunk[:-1], chunk[1:]\n"
        "        logits = model.logits(x)\n"
        "        nll = F.cross_entropy(logits, y, reduction='none')\n"
        + textwrap.indent(textwrap.dedent(body), "        ")
        + "\n        total += score.sum().item()\n    return total\n"
    )
