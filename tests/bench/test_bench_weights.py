"""How `bench weights` judges weights and compares files."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bench.weights import judge as judging
from bench.weights.figure import write_figure
from bench.weights.judge import Judge, Loss
from bench.weights.tables import Point, bytes_at, records_grid, with_method
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing.fisher import Curvature
from toolkit.components.settings.model import Model


def points(*losses_and_bytes: tuple[float, int]) -> list[Point]:
    return [Point(0.0, num_bytes, Loss(loss, loss), 0.0) for loss, num_bytes in losses_and_bytes]


def test_bytes_at_a_loss_lie_on_lines_over_its_logarithm() -> None:
    measured = points((0.04, 100), (0.01, 300), (0.0025, 700))
    assert bytes_at(measured, 0.01) == pytest.approx(300)
    assert bytes_at(measured, 0.02) == pytest.approx(200)
    assert bytes_at(measured, 0.005) == pytest.approx(500)
    assert bytes_at(measured, 0.08) == pytest.approx(0)


def test_losses_are_those_of_the_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "TOKENS", 64)
    monkeypatch.setattr(judging, "BATCH_WINDOWS", 2)
    torch.manual_seed(0)
    model = GPT(Config(model=Model(vocab_size=32, model_dim=16, num_heads=2, num_kv_heads=1, num_layers=2)))
    tokens, target_bytes = torch.randint(32, (65,)), np.full(64, 2)
    judge = Judge(model, 16, tokens, target_bytes)
    assert judge.loss({}) == Loss(0, 0)
    weights = {"tok_emb.weight": model.tok_emb.weight.detach() + 0.5 * torch.randn(32, 16)}
    before = model(tokens[:64].view(4, 16)).log_softmax(-1)
    after_model = GPT(model.cfg)
    after_model.load_state_dict(model.state_dict() | weights)
    after = after_model(tokens[:64].view(4, 16)).log_softmax(-1)
    nats = (before - after).gather(-1, tokens[1:].view(4, 16, 1)).sum().item()
    divergence = (before.exp() * (before - after))[:2].sum().item()
    found = judge.loss(weights)
    assert found.bpb == pytest.approx(nats / np.log(2) / 128, rel=1e-4)
    assert found.divergence == pytest.approx(divergence / np.log(2) / 64, rel=1e-4)
    assert judge.loss({}) == Loss(0, 0)


def test_the_grid_of_the_records_is_one_of_row_deviations() -> None:
    torch.manual_seed(0)
    weight = torch.randn(6, 50) * torch.tensor([1, 2, 4, 8, 16, 32.0])[:, None]
    curvature = Curvature(torch.eye(50).double(), torch.eye(6).double(), torch.tensor(1.0))
    lattice = records_grid(with_method(Config(), "tcq"), weight, curvature)
    steps = lattice.scale * 2 ** (lattice.row_codes / 8)
    np.testing.assert_allclose(steps, weight.std(1).numpy(), rtol=0.05)
    assert not lattice.column_codes.any()


def test_the_figure_has_a_curve_for_each_scheme(tmp_path: Path) -> None:
    curves = {"first": [(500, 0.01), (400, 0.05)], "second": [(450, 0.01), (300, 0.09), (380, 0.03)]}
    write_figure(tmp_path / "weights.svg", curves)
    text = (tmp_path / "weights.svg").read_text()
    assert text.count("<polyline") == 2
    assert text.count("<circle") == 5
    assert all(f">{name}</text>" in text for name in curves)
