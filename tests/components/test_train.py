"""The training loop on a tiny network: batches, warm-up, and what ends it. Time is faked where it decides."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.support.tiny_run import TinyRun
from toolkit.components.base.failure import InputError
from toolkit.components.base.log import Log
from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.quantizing import methods
from toolkit.components.quantizing.gptq import collect_hessians
from toolkit.components.scoring.roundtrip import score_blocks
from toolkit.components.setup.device import model_on
from toolkit.components.setup.environment import Environment, read_environment
from toolkit.components.setup.inputs import read_inputs
from toolkit.components.training import trainer as trainer_module
from toolkit.components.training.clock import TrainingClock
from toolkit.components.training.train import train
from toolkit.components.training.trainer import Trainer
from toolkit.recipe import load_recipe

ALONE = Ranks(0, 1, torch.device("cpu"))
MakeTrainer = Callable[..., tuple[Trainer, GPT]]


@pytest.fixture(autouse=True)
def _keep_signal_handler() -> Iterator[None]:
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def cfg(tiny_run: TinyRun) -> Config:
    return load_recipe(tiny_run.recipe)


@pytest.fixture
def make_trainer(tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeTrainer:
    """A trainer of the tiny recipe, some of its settings changed; the log is tmp_path/train_seed42.log."""
    for name, value in tiny_run.environment(tmp_path).items():
        monkeypatch.setenv(name, value)

    def make(cfg: Config, *, env: dict[str, Any] | None = None, **train: Any) -> tuple[Trainer, GPT]:
        cfg = replace(cfg, train=replace(cfg.train, **train))
        environment: Environment = replace(read_environment(cfg), **(env or {}))
        torch.manual_seed(environment.seed)
        model = model_on(cfg, ALONE.device)
        inputs = read_inputs(cfg, environment, ALONE)
        return Trainer(cfg, model, inputs, environment, ALONE, Log(environment.log_path, True)), model

    return make


@pytest.fixture
def fake_time(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """A clock that stands still unless a test moves it."""
    time = {"now": 1000.0}
    monkeypatch.setattr("time.perf_counter", lambda: time["now"])
    return time


def takes(time: dict[str, float], seconds: float, function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, taking its time by the fake clock."""

    def slow(*args: Any) -> Any:
        time["now"] += seconds
        return function(*args)

    return slow


def lines(tmp_path: Path, part: str) -> list[str]:
    return [line for line in (tmp_path / "train_seed42.log").read_text().splitlines() if part in line]


def test_gradients_do_not_depend_on_the_number_of_micro_batches(make_trainer: MakeTrainer, cfg: Config) -> None:
    """The same sequences in one, two or eight pieces give the same loss and, after a step, the same weights."""
    outcomes = []
    for micro_batches in (1, 2, 8):
        trainer, model = make_trainer(cfg, micro_batches=micro_batches)
        losses = [trainer.step(number) for number in (1, 2, 3)]
        outcomes.append((torch.tensor(losses), torch.cat([parameter.flatten() for parameter in model.parameters()])))
    for loss, weights in outcomes[1:]:
        torch.testing.assert_close(loss, outcomes[0][0], atol=1e-5, rtol=0)
        torch.testing.assert_close(weights, outcomes[0][1], atol=1e-3, rtol=0)


def test_first_loss_is_that_of_the_initial_model_on_the_first_batch(make_trainer: MakeTrainer, cfg: Config) -> None:
    trainer, model = make_trainer(cfg)
    batches = [trainer.loader.next_batch() for _ in range(cfg.train.micro_batches)]
    with torch.no_grad():
        expected = torch.stack([model(x, y) for x, y in batches]).mean().item()
    trainer.restart()
    assert trainer.step(1) == pytest.approx(expected, abs=1e-6)


def test_warm_up_leaves_no_trace(make_trainer: MakeTrainer, cfg: Config, tmp_path: Path) -> None:
    states = []
    for warmup_steps in (0, 3):
        trainer, model = make_trainer(cfg, warmup_steps=warmup_steps, iterations=4)
        train(trainer.cfg, trainer)
        states.append(model.state_dict())
    assert lines(tmp_path, "warmup_step") == ["warmup_step: 1/3", "warmup_step: 2/3", "warmup_step: 3/3"]
    for name, tensor in states[0].items():
        assert torch.equal(tensor, states[1][name]), name


def test_training_learns(make_trainer: MakeTrainer, cfg: Config, tmp_path: Path) -> None:
    trainer, _ = make_trainer(cfg, iterations=30)
    train(trainer.cfg, trainer)
    losses = [float(line.split()[2]) for line in lines(tmp_path, "train_loss")]
    assert len(losses) == 30
    assert losses[0] == pytest.approx(5.70, abs=0.02)  # ln 300
    assert sum(losses[-5:]) / 5 < losses[0] - 2


def test_clock_ends_training_before_the_cap_and_stands_still_in_validation(
    make_trainer: MakeTrainer, cfg: Config, tmp_path: Path, fake_time: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of 1 s under a cap of 10.5 s, of which 2 s are reserved: eight steps, however long validations take; then
    calibration, of 1.25 s, by the same clock.
    """
    cfg = replace(cfg, quantize=replace(cfg.quantize, reserve_seconds=2.0))
    trainer, model = make_trainer(cfg, env={"max_wallclock_seconds": 10.5}, val_every=2, iterations=100, warmup_steps=2)
    monkeypatch.setattr(trainer, "step", takes(fake_time, 1.0, trainer.step))
    monkeypatch.setattr(trainer_module, "score_blocks", takes(fake_time, 500.0, score_blocks))
    monkeypatch.setattr(methods, "collect_hessians", takes(fake_time, 1.25, collect_hessians))
    train(trainer.cfg, trainer)
    assert trainer.clock.read() == 8
    hessians = methods.collect(cfg, model, trainer.loader, ALONE, trainer.clock, trainer.log)
    assert "tok_emb.weight" in hessians
    assert lines(tmp_path, "reserving") == ["gptq:reserving 2s, effective=8500ms"]
    assert lines(tmp_path, "stopping") == ["stopping_early: wallclock_cap train_time: 8000ms step: 8/100"]
    assert lines(tmp_path, "collected") == ["GPTQ:collected 13 Hessians in 1.2s"]
    assert trainer.clock.read() == 9.25
    assert [line.split("/")[0] for line in lines(tmp_path, " val_loss")] == ["0", "2", "4", "6", "8"]
    assert lines(tmp_path, "8/100 train_loss")[0].endswith(f"train_time: 0.1m tok/s: {cfg.train.batch_tokens}")


def test_iterations_end_training_without_a_stop_line(make_trainer: MakeTrainer, cfg: Config, tmp_path: Path) -> None:
    trainer, _ = make_trainer(cfg, log_every=4, iterations=9)
    train(trainer.cfg, trainer)
    assert [line.split("/")[0] for line in lines(tmp_path, "train_loss")] == ["1", "2", "3", "4", "5", "8", "9"]
    assert not lines(tmp_path, "stopping_early")


def test_sigterm_ends_training_as_the_clock_would(
    make_trainer: MakeTrainer, cfg: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, model = make_trainer(cfg)

    def step(number: int) -> float:
        if number == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return Trainer.step(trainer, number)

    monkeypatch.setattr(trainer, "step", step)
    train(trainer.cfg, trainer)
    (line,) = lines(tmp_path, "stopping_early")
    assert line.startswith("stopping_early: sigterm train_time: ")
    assert line.endswith("ms step: 3/20")
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def test_a_loss_that_is_not_finite_ends_training(make_trainer: MakeTrainer, cfg: Config) -> None:
    trainer, model = make_trainer(cfg)
    trainer.step(1)
    with torch.no_grad():
        model.tok_emb.weight[7] = float("nan")
    weight = model.get_parameter("blocks.0.attn.c_q.weight")
    before = weight.clone()
    with pytest.raises(InputError, match="step 2: expected a finite training loss, found nan; lower the learning"):
        trainer.step(2)
    assert torch.equal(before, weight)


def test_averaged_weights_are_what_comes_out(make_trainer: MakeTrainer, cfg: Config, tmp_path: Path) -> None:
    """With decay 1 the average never leaves the initial weights."""
    cfg = replace(cfg, optimizer=replace(cfg.optimizer, ema_decay=1.0))
    trainer, model = make_trainer(cfg)
    initial = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    train(trainer.cfg, trainer)
    assert lines(tmp_path, "ema:") == ["ema:applying EMA weights"]
    assert all(torch.equal(tensor, initial[name]) for name, tensor in model.state_dict().items())


def test_clock_adds_up_what_lies_between_start_and_stop(fake_time: dict[str, float]) -> None:
    clock = TrainingClock(ALONE.device)
    fake_time["now"] += 3
    assert clock.read() == 3
    clock.stop()
    fake_time["now"] += 100
    clock.start()
    fake_time["now"] += 4
    assert clock.read() == 7
