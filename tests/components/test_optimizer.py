"""Which parameter is trained by what, and at which rate."""

import pytest
import torch

from toolkit.components.base.ranks import Ranks
from toolkit.components.config import Config
from toolkit.components.model.gpt import GPT
from toolkit.components.training.muon import Muon
from toolkit.components.training.optimizer import make_optimizers, set_rates
from toolkit.recipe import load_recipe

ALONE = Ranks(0, 1, torch.device("cpu"))


@pytest.fixture(params=["demo", "naive_baseline", "sp4096"])
def cfg(request: pytest.FixtureRequest) -> Config:
    return load_recipe(request.param)


def test_every_parameter_is_trained_once_by_the_optimizer_of_its_kind(cfg: Config) -> None:
    with torch.device("meta"):
        model = GPT(cfg)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    muon, adamw = make_optimizers(cfg, model, ALONE)
    assert isinstance(muon, Muon)
    assert isinstance(adamw, torch.optim.AdamW)
    groups = [*muon.param_groups, *adamw.param_groups]
    matrices, tables, scalars = ([names[id(parameter)] for parameter in group["params"]] for group in groups)
    assert sorted(matrices + tables + scalars) == sorted(names.values())
    assert set(tables) == {"tok_emb.weight", "ve.embed.weight"} & set(names.values())
    assert all(parameter.ndim == 2 for parameter in muon.param_groups[0]["params"])
    assert {name.rsplit(".", 2)[-2] for name in matrices} <= {"c_q", "c_k", "c_v", "proj", "fc"}
    assert not any(name.endswith(".weight") for name in scalars)


def test_groups_have_the_rates_of_the_recipe_times_the_schedule(cfg: Config) -> None:
    with torch.device("meta"):
        optimizers = make_optimizers(cfg, GPT(cfg), ALONE)
    o = cfg.optimizer
    for step, scale in ((0, 1.0), (10**6, 0.25), (10**6, 0.5)):
        set_rates(cfg, optimizers, step, scale)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        assert [group["lr"] for group in groups] == [scale * lr for lr in (o.matrix_lr, o.embed_lr, o.scalar_lr)]
        assert [group["weight_decay"] for group in groups] == [
            o.matrix_weight_decay,
            o.embed_weight_decay,
            o.scalar_weight_decay,
        ]
        assert groups[0]["momentum"] == pytest.approx(o.muon_momentum if step else o.muon_momentum_start)
    assert groups[1]["betas"] == groups[2]["betas"] == (o.beta1, o.beta2)
    assert groups[1]["eps"] == o.adam_eps
