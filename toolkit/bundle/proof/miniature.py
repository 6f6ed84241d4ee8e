"""A recipe's miniature: the same flags, and every size so small that a CPU trains it in a second.

What a flag turns on stays on, what covers all layers covers all of them, and ratios of heads stay. So the miniature
folds to the same program up to the numbers in it, which `same_up_to_constants` checks.
"""

import ast
from dataclasses import replace

from toolkit.components.config import Config, Model
from toolkit.units import CAP_BYTES

VOCAB_SIZE = 300
_LAYERS = 4
_HEAD_DIM = 16


def scaled_down(cfg: Config) -> Config:
    """The miniature. Its run needs a vocabulary of `VOCAB_SIZE` and no clock."""
    train, quantize = cfg.train, cfg.quantize
    return replace(
        cfg,
        model=_small_model(cfg.model),
        train=replace(
            train,
            seq_len=32,
            micro_batches=min(train.micro_batches, 2),
            batch_tokens=32 * 4 * min(train.micro_batches, 2),
            warmup_steps=min(train.warmup_steps, 1),
            log_every=1,
            val_every=2 if train.val_every else 0,
        ),
        optimizer=replace(cfg.optimizer, swa_every_steps=min(cfg.optimizer.swa_every_steps, 1)),
        quantize=replace(
            quantize,
            calibration_batches=2,
            block_size=16,
            passthrough_max_numel=256 if quantize.passthrough_max_numel else 0,
        ),
        # The code's size is part of a target, and differs between the forms of a script; this one none of them fills.
        artifact=replace(cfg.artifact, target_bytes=CAP_BYTES if cfg.artifact.target_bytes else 0),
        evaluate=replace(cfg.evaluate, stride=16, batch_windows=4),
    )


def _small_model(model: Model) -> Model:
    layers = min(model.num_layers, _LAYERS)
    kv_heads = min(model.num_kv_heads, 2)
    heads = model.num_heads // model.num_kv_heads * kv_heads
    from_end = {model.num_layers - layer for layer in model.value_embed_layers}
    return replace(
        model,
        vocab_size=VOCAB_SIZE,
        num_layers=layers,
        model_dim=heads * _HEAD_DIM,
        num_heads=heads,
        num_kv_heads=kv_heads,
        rope_dims=_HEAD_DIM if model.rope_dims == model.head_dim else min(model.rope_dims, _HEAD_DIM // 2),
        xsa_layers=layers if model.xsa_layers == model.num_layers else min(model.xsa_layers, layers - 1),
        bigram_dim=min(model.bigram_dim, _HEAD_DIM),
        bigram_buckets=min(model.bigram_buckets, 64),
        value_embed_dim=min(model.value_embed_dim, _HEAD_DIM),
        value_embed_layers=tuple(sorted({max(0, layers - distance) for distance in from_end})),
    )


def same_up_to_constants(one: str, other: str) -> bool:
    """Whether two programs differ in nothing but the values of numbers and strings."""
    return _masked(one) == _masked(other)


def _masked(source: str) -> str:
    return ast.dump(_Mask().visit(ast.parse(source)))


class _Mask(ast.NodeTransformer):
    def visit_Constant(self, node: ast.Constant) -> ast.Constant:
        value = node.value
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return ast.Constant(0 if is_number else "" if isinstance(value, str) else value)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        """A negative number is a number."""
        operand = self.visit(node.operand)
        is_number = isinstance(operand, ast.Constant) and operand.value == 0
        return operand if is_number and isinstance(node.op, ast.USub) else ast.UnaryOp(node.op, operand)

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        """A tuple of constants is a constant, whatever its length."""
        items = [self.visit(item) for item in node.elts]
        is_constant = all(isinstance(item, ast.Constant) for item in items)
        return ast.Tuple(items[:1] if is_constant else items, node.ctx)
