"""The settings of a recipe as frozen dataclasses; importable without torch.

Components receive one `Config`, always under the name `cfg`, and read it as `cfg.section.field` at the place of use.
The bundler replaces each such read by its literal value, so a feature that is off leaves no code behind. Every field
must therefore be a number, string, boolean or tuple of these. Values that change from run to run (paths, seed, clock)
are not here but in `environment.py`.
"""

import hashlib
import json
from dataclasses import asdict, dataclass

from toolkit.components.base.failure import InputError

TRACKS = ("10min_16mb", "non-record-16mb", "non-record-unlimited-compute-16mb")
SCORERS = ("roundtrip", "sliding")  # in the order in which stages run, like the mixers on each of them
MIXERS = ("ppm_seed", "ppm_trie")
METHODS = ("gptq", "percentile", "hybrid", "tcq")
PER_RUN = ("seed", "iterations", "max_wallclock_seconds")  # `environment.py` has their values of a run
SHOWN_IF_ON = ("bigram_dim", "bigram_buckets", "smear_gate", "value_residual", "swa_every_steps", "swa_below")
RENAMED = {"batch_tokens": "train_batch_tokens", "seq_len": "train_seq_len"}  # as the competition's logs say


def require(condition: bool, key: str, expected: str, found: object) -> None:
    """Raise `InputError` naming the recipe key unless `condition` holds."""
    if not condition:
        raise InputError(f"{key}: expected {expected}, found {found!r}")


def require_positive(section: object, name: str, keys: tuple[str, ...]) -> None:
    """Every listed field of a section must be greater than zero."""
    for key in keys:
        require(getattr(section, key) > 0, f"{name}.{key}", "a number above 0", getattr(section, key))


def require_unit_interval(section: object, name: str, keys: tuple[str, ...]) -> None:
    """Every listed field of a section must lie in [0, 1]."""
    for key in keys:
        require(0 <= getattr(section, key) <= 1, f"{name}.{key}", "a number from 0 to 1", getattr(section, key))


def require_not_negative(section: object, name: str, keys: tuple[str, ...]) -> None:
    """Every listed field of a section must be zero or more."""
    for key in keys:
        require(getattr(section, key) >= 0, f"{name}.{key}", "0 or more", getattr(section, key))


def require_choice(section: object, name: str, key: str, choices: tuple[str, ...]) -> None:
    """The field must be one of `choices`."""
    value = getattr(section, key)
    require(value in choices, f"{name}.{key}", "one of " + ", ".join(choices), value)


@dataclass(frozen=True)
class Model:
    """Shape and switches of the GPT stack; defaults are the organisers' baseline (B0)."""

    vocab_size: int = 1024  # must equal the tokenizer's
    num_layers: int = 9
    model_dim: int = 512
    num_heads: int = 8  # query heads
    num_kv_heads: int = 4  # key/value heads; divides num_heads
    mlp_mult: int = 2  # hidden width as a multiple of model_dim
    activation: str = "relu2"  # relu2: relu(x)^2; leaky_relu2: leaky_relu(x, 0.5)^2 (#549)
    rope_dims: int = 0  # leading dimensions of a head that rotate; 0 rotates all of them
    rope_base: float = 10_000.0
    qk_gain: float = 1.5  # initial per-head gain on q after RoPE
    logit_softcap: float = 30.0  # logits = c * tanh(z / c)
    embed_init_std: float = 0.005
    orthogonal_init: bool = False  # gain 1, for matrices with both sides >= 64 that do not start at zero
    skip_gates: bool = False  # U-Net skips as lerp(w * skip, x, sigmoid(gate)) instead of x + w * skip
    ln_scale: bool = False  # multiply normed branch inputs by 1 / sqrt(layer + 1)
    xsa_layers: int = 0  # the last n layers subtract the own-value component from attention's output
    value_embed_dim: int = 0  # width of the value embedding table; 0 turns it off
    value_embed_layers: tuple[int, ...] = ()  # layers whose values receive it
    bigram_dim: int = 0  # width of a table by hashed pairs of tokens, added to the embedding (#549); 0 turns it off
    bigram_buckets: int = 0  # its rows; the last is for the first position
    smear_gate: bool = False  # blend each normed embedding with the one before it, by a gate a channel (#1465)
    value_residual: bool = False  # layers after the first mix their values with the first layer's, learned shares
    flash_attention: bool = False  # FlashAttention-3 on CUDA when importable; SDPA otherwise

    def __post_init__(self) -> None:
        require_positive(
            self,
            "model",
            (
                "vocab_size",
                "num_layers",
                "model_dim",
                "num_heads",
                "num_kv_heads",
                "mlp_mult",
                "rope_base",
                "qk_gain",
                "logit_softcap",
                "embed_init_std",
            ),
        )
        sizes = ("rope_dims", "xsa_layers", "value_embed_dim", "bigram_dim", "bigram_buckets")
        require_not_negative(self, "model", sizes)
        require(self.vocab_size < 65_536, "model.vocab_size", "below 65536 (shards hold uint16)", self.vocab_size)
        require_choice(self, "model", "activation", ("relu2", "leaky_relu2"))
        require(
            self.model_dim % self.num_heads == 0,
            "model.model_dim",
            f"a multiple of num_heads = {self.num_heads}",
            self.model_dim,
        )
        require(self.head_dim % 2 == 0, "model.model_dim", "an even model_dim / num_heads", self.head_dim)
        require(
            self.num_heads % self.num_kv_heads == 0,
            "model.num_kv_heads",
            f"a divisor of num_heads = {self.num_heads}",
            self.num_kv_heads,
        )
        require(
            self.rope_dims % 2 == 0 and self.rope_dims <= self.head_dim,
            "model.rope_dims",
            f"an even number up to the head dimension {self.head_dim}",
            self.rope_dims,
        )
        require(self.xsa_layers <= self.num_layers, "model.xsa_layers", f"at most {self.num_layers}", self.xsa_layers)
        require(
            all(0 <= layer < self.num_layers for layer in self.value_embed_layers),
            "model.value_embed_layers",
            f"layers from 0 to {self.num_layers - 1}",
            list(self.value_embed_layers),
        )
        require(
            bool(self.value_embed_layers) == bool(self.value_embed_dim),
            "model.value_embed_layers",
            "set together with value_embed_dim",
            list(self.value_embed_layers),
        )
        require(
            self.bigram_buckets >= 2 if self.bigram_dim else self.bigram_buckets == 0,
            "model.bigram_buckets",
            "2 or more with bigram_dim, else 0",
            self.bigram_buckets,
        )

    @property
    def head_dim(self) -> int:
        return self.model_dim // self.num_heads

    @property
    def kv_dim(self) -> int:
        return self.num_kv_heads * self.head_dim

    @property
    def hidden_dim(self) -> int:
        return self.mlp_mult * self.model_dim

    @property
    def num_skips(self) -> int:
        """Skip connections of the U-Net: the first half of the layers push, the rest pop."""
        return self.num_layers // 2


@dataclass(frozen=True)
class Data:
    """Which shards and tokenizer; the folders come from the environment."""

    dataset: str = "fineweb10B_sp1024"  # folder name under data/datasets
    tokenizer: str = "fineweb_1024_bpe.model"  # file name under data/tokenizers
    loader: str = "contiguous"  # contiguous: one stream (B0); coprime: coprime-stride blocks (#726)

    def __post_init__(self) -> None:
        require_choice(self, "data", "loader", ("contiguous", "coprime"))
        for key in ("dataset", "tokenizer"):
            value = getattr(self, key)
            require(value.strip(".") != "" and "/" not in value, f"data.{key}", "a plain name, no path", value)


@dataclass(frozen=True)
class Optimizer:
    """Muon for matrices, AdamW for the rest; defaults are B0's."""

    matrix_lr: float = 0.04
    embed_lr: float = 0.05
    scalar_lr: float = 0.04
    muon_momentum: float = 0.95
    muon_momentum_start: float = 0.85  # momentum at step 0, raised linearly
    muon_momentum_warmup_steps: int = 500
    muon_row_normalize: bool = False  # MuonEq-R (#1217)
    newton_schulz_steps: int = 5
    matrix_weight_decay: float = 0.0  # decoupled, like the two below
    embed_weight_decay: float = 0.0
    scalar_weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.95
    adam_eps: float = 1e-8
    grad_clip_norm: float = 0.0  # 0 turns clipping off
    ema_decay: float = 0.0  # 0 turns the average off
    swa_every_steps: int = 0  # average snapshots taken so often instead; 0 turns it off
    swa_below: float = 0.0  # once the learning rates are below this share of the recipe's

    def __post_init__(self) -> None:
        require_positive(self, "optimizer", ("matrix_lr", "embed_lr", "scalar_lr", "newton_schulz_steps", "adam_eps"))
        require_unit_interval(
            self, "optimizer", ("muon_momentum", "muon_momentum_start", "beta1", "beta2", "ema_decay", "swa_below")
        )
        require(
            bool(self.swa_every_steps) == bool(self.swa_below),
            "optimizer.swa_below",
            "above 0 with swa_every_steps, else 0",
            self.swa_below,
        )
        require(
            not (self.swa_every_steps and self.ema_decay),
            "optimizer.swa_every_steps",
            "0 when ema_decay is set",
            self.swa_every_steps,
        )
        require_not_negative(
            self,
            "optimizer",
            (
                "muon_momentum_warmup_steps",
                "matrix_weight_decay",
                "embed_weight_decay",
                "scalar_weight_decay",
                "grad_clip_norm",
                "swa_every_steps",
            ),
        )


@dataclass(frozen=True)
class Train:
    """Batch, clock and schedule; defaults are B0's."""

    seed: int = 1337
    batch_tokens: int = 524_288  # tokens of one optimizer step over all ranks
    seq_len: int = 1024
    micro_batches: int = 8  # world size * gradient accumulation steps; fixes the global batch for any world size
    iterations: int = 20_000
    max_wallclock_seconds: float = 600.0  # cap of training, calibration included; 0 turns the clock off
    warmup_steps: int = 20  # compile and prime, then the initial state is restored; not timed
    warmdown_iterations: int = 0  # B0: warm-down length as iterations at the running step time
    warmdown_fraction: float = 0.0  # R1: share of the effective cap spent warming down
    min_lr: float = 0.0  # floor of the learning-rate multiplier
    log_every: int = 500  # steps between training-loss lines
    val_every: int = 0  # steps between validations of the float model; 0 validates at the end only

    def __post_init__(self) -> None:
        require_positive(self, "train", ("batch_tokens", "seq_len", "micro_batches", "iterations", "log_every"))
        require_not_negative(
            self,
            "train",
            ("seed", "max_wallclock_seconds", "warmup_steps", "warmdown_iterations", "val_every"),
        )
        require_unit_interval(self, "train", ("warmdown_fraction", "min_lr"))
        require(
            self.batch_tokens % (self.seq_len * self.micro_batches) == 0,
            "train.batch_tokens",
            f"a multiple of seq_len * micro_batches = {self.seq_len * self.micro_batches}",
            self.batch_tokens,
        )
        require(
            not (self.warmdown_iterations and self.warmdown_fraction),
            "train.warmdown_iterations",
            "unset when warmdown_fraction is set",
            self.warmdown_iterations,
        )


@dataclass(frozen=True)
class Quantize:
    """How weights become bytes."""

    # gptq: full GPTQ with SDClip; percentile: round to nearest, per-row percentile clip (B0); hybrid, tcq: see there
    method: str = "gptq"
    matrix_bits: int = 6
    embed_bits: int = 8
    matrix_clip_sigmas: float = 12.85  # SDClip k: scale = k * std(row) / Q (#1394)
    embed_clip_sigmas: float = 20.0
    clip_percentile: float = 99.99984  # percentile method only
    calibration_batches: int = 64  # micro-batches of training data for the Hessians, over all ranks
    damping: float = 0.01  # share of the Hessian's mean diagonal
    block_size: int = 128  # GPTQ columns per lazy update
    passthrough_max_numel: int = 65_536  # smaller tensors stay fp16, control tensors fp32
    compressor: str = "brotli"  # brotli (quality 11) or zlib (level 9), after byte shuffling
    reserve_seconds: float = 10.0  # kept back from the training clock for calibration

    def __post_init__(self) -> None:
        require_choice(self, "quantize", "method", METHODS)
        require_choice(self, "quantize", "compressor", ("brotli", "zlib"))
        for key in ("matrix_bits", "embed_bits"):
            require(2 <= getattr(self, key) <= 8, f"quantize.{key}", "2 to 8", getattr(self, key))
        require_positive(
            self,
            "quantize",
            ("matrix_clip_sigmas", "embed_clip_sigmas", "calibration_batches", "damping", "block_size"),
        )
        require_not_negative(self, "quantize", ("passthrough_max_numel", "reserve_seconds"))
        require(0 < self.clip_percentile <= 100, "quantize.clip_percentile", "above 0, up to 100", self.clip_percentile)

    @property
    def symbols(self) -> str:
        """Name of what weights become in log lines, such as `int6`."""
        return self.method if self.method in ("hybrid", "tcq") else f"int{self.matrix_bits}"

    @property
    def label(self) -> str:
        """Name of the format in log lines, such as `int6+brotli`."""
        return self.symbols + "+" + ("rans" if self.method in ("hybrid", "tcq") else self.compressor)


@dataclass(frozen=True)
class Hybrid:
    """HybridQuant (#1465): levels of a weight by class of matrix, trained with, and coded by rANS. In use only where
    `quantize.method` is hybrid. An even number of levels is centred on 0 with one more below it; 5 (pentanary) has
    thresholds of its own; 0 leaves a class fp16, as all other tensors are.
    """

    qk_levels: int = 64  # query and key matrices
    vo_levels: int = 32  # value and output matrices of attention
    up_levels: int = 5  # first matrix of the MLP
    down_levels: int = 16  # its second
    embed_levels: int = 64  # tables, after training alone

    def __post_init__(self) -> None:
        for key in ("qk_levels", "vo_levels", "up_levels", "down_levels", "embed_levels"):
            levels = getattr(self, key)
            valid = levels in (0, 5) or (2 <= levels <= 256 and levels % 2 == 0)
            require(valid, f"hybrid.{key}", "0, 5 or an even number from 2 to 256", levels)


@dataclass(frozen=True)
class Tcq:
    """Trellis-coded quantization with steps by sensitivity. In use only where `quantize.method` is tcq."""

    engine: str = "native"  # native: in C, on all cores; torch: slowly, but without a compiler, on a GPU if any
    states: int = 8  # of the trellis: 4, 8, 16 or 32; 1 rounds without one
    rounding_loss: float = 0.02  # nats a token that rounding may cost, as the Fisher matrix has it: sets all steps
    input_damping: float = 0.03  # share of the mean diagonal of H, second moments of a layer's inputs
    output_damping: float = 0.1  # of G, of the gradients at its outputs
    two_sided: bool = True  # errors are fed forward along rows as well as columns

    def __post_init__(self) -> None:
        require_choice(self, "tcq", "engine", ("native", "torch"))
        require(self.states in (1, 4, 8, 16, 32), "tcq.states", "1, 4, 8, 16 or 32", self.states)
        require_positive(self, "tcq", ("rounding_loss", "input_damping", "output_damping"))


@dataclass(frozen=True)
class Artifact:
    """How large code and artifact may become together. Works with `quantize.method` tcq."""

    target_bytes: int = 0  # 0 takes steps from tcq.rounding_loss; else they are searched until the target is filled
    margin_bytes: int = 0  # of the target that stay free
    fill_seconds: float = 600.0  # no attempt begins that would, by the slowest so far, end later

    def __post_init__(self) -> None:
        require_not_negative(self, "artifact", ("target_bytes", "margin_bytes", "fill_seconds"))


@dataclass(frozen=True)
class Evaluate:
    """Stages that score the decoded artifact, in order; the last one gives the headline.

    A stage is a scorer, or a mixer on top of one: `sliding`, `sliding+ppm_trie`. All score the targets in the order of
    the stream.
    """

    stages: tuple[str, ...] = ("roundtrip",)  # scorers: roundtrip, sliding; mixers: ppm_seed, ppm_trie
    stride: int = 64  # of the sliding window
    batch_windows: int = 32

    def __post_init__(self) -> None:
        ordered = [scorer + mixer for scorer in SCORERS for mixer in ("", *(f"+{mixer}" for mixer in MIXERS))]
        for stage in self.stages:
            require(stage not in MIXERS, "evaluate.stages", f'a mixer on its scorer, "sliding+{stage}"', stage)
            known = f"SCORER or SCORER+MIXER of the scorers {', '.join(SCORERS)} and mixers {', '.join(MIXERS)}"
            require(stage in ordered, "evaluate.stages", known, stage)
        require(
            list(self.stages) == [stage for stage in ordered if stage in self.stages] != [],
            "evaluate.stages",
            f"each once, in the order of {', '.join(ordered)}",
            self.stages,
        )
        require_positive(self, "evaluate", ("stride", "batch_windows"))

    @property
    def scorers(self) -> tuple[str, ...]:
        """What is run, alone or below a mixer."""
        return tuple(scorer for scorer in SCORERS if any(stage.split("+")[0] == scorer for stage in self.stages))

    @property
    def mixed(self) -> tuple[str, ...]:
        """Scorers with a mixer on top."""
        return tuple(scorer for scorer in SCORERS if any(stage.startswith(f"{scorer}+") for stage in self.stages))

    @property
    def mixers(self) -> tuple[str, ...]:
        return tuple(mixer for mixer in MIXERS if any(stage.endswith(f"+{mixer}") for stage in self.stages))


@dataclass(frozen=True)
class PpmSeed:
    """The byte mixture of #1785, kept to reproduce and to teach. It is not a probability distribution."""

    order: int = 5  # bytes of the longest context
    gate: str = "v2"  # what counts as PPM's confidence: v1, v2 (#1785, its two codes), strict (#1795) or documented
    confidence: float = 0.9  # above it the mixture trusts PPM
    lambda_confident: float = 0.05  # weight of the network above `confidence`
    lambda_default: float = 0.9
    spelling: str = "text"  # text: bytes are those of the text; names: `<0x0A>` counts as six, `<s>` as three (#1785)

    def __post_init__(self) -> None:
        require_choice(self, "ppm_seed", "gate", ("v1", "v2", "strict", "documented"))
        require_choice(self, "ppm_seed", "spelling", ("text", "names"))
        require(1 <= self.order <= 5, "ppm_seed.order", "1 to 5", self.order)
        require_unit_interval(self, "ppm_seed", ("confidence", "lambda_confident", "lambda_default"))


@dataclass(frozen=True)
class PpmTrie:
    """Context model on the vocabulary's trie, mixed into the network's own decisions; exactly normalised.

    A context is a sum of parts: `o3` the last three bytes, `b2` the last but one alone; `word` the letters of the word
    so far, `word1` to `word3` the words before it; `token` the bytes of the token so far, `token1` to `token3` the
    tokens before it. How many bytes of the token are known is part of every context. What the first context has seen
    also chooses among the weights of the mixture.
    """

    engine: str = "logistic"  # logistic: gated mixing of log-odds; linear: shares of probabilities
    contexts: tuple[str, ...] = (
        *("word", "o1", "o2", "o3", "o4", "o6", "o8", "word+word1", "word+word2", "word+word1+word2"),
        *("o1+word", "token+token1+token2+token3"),
    )
    table_bits: int = 22  # a context's table has so many lines of 32 bytes, as a power of two
    learning_rate: float = 0.00025  # of the weights; 0 leaves the network as it is
    shards: int = 1  # mixers that take turns; more of them use more cores and learn less each
    chunk_tokens: int = 4096  # tokens of a turn

    def __post_init__(self) -> None:
        require_choice(self, "ppm_trie", "engine", ("logistic", "linear"))
        require(1 <= len(self.contexts) <= 14, "ppm_trie.contexts", "1 to 14 of them", self.contexts)
        require(8 <= self.table_bits <= 30, "ppm_trie.table_bits", "8 to 30", self.table_bits)
        require_positive(self, "ppm_trie", ("shards", "chunk_tokens"))
        require_unit_interval(self, "ppm_trie", ("learning_rate",))
        for context in self.contexts:
            for part in context.split("+"):
                require(part in _context_parts(), "ppm_trie.contexts", "parts " + ", ".join(_context_parts()), context)

    @property
    def masks(self) -> tuple[int, ...]:
        """By context a mask of the last eight bytes, and one of hashes: token to token3, word to word3."""
        masks = []
        for context in self.contexts:
            parts = [_context_parts()[part] for part in context.split("+")]
            masks += [sum({part[i] for part in parts}) for i in range(2)]
        return tuple(masks)


def _context_parts() -> dict[str, tuple[int, int]]:
    """What a context may be made of, as masks."""
    orders = {f"o{n}": ((1 << 8 * n) - 1, 0) for n in range(9)}
    singles = {f"b{n}": (255 << 8 * (n - 1), 0) for n in range(1, 9)}
    hashes = {f"{name}{n or ''}": (0, 1 << 4 * i + n) for i, name in enumerate(("token", "word")) for n in range(4)}
    return orders | singles | hashes


@dataclass(frozen=True)
class Config:
    """One recipe. `name` is the file's stem, `title` becomes the submission's name."""

    name: str = "unnamed"
    title: str = "Unnamed"
    track: str = "non-record-16mb"  # as in submission.json
    model: Model = Model()
    data: Data = Data()
    optimizer: Optimizer = Optimizer()
    train: Train = Train()
    quantize: Quantize = Quantize()
    hybrid: Hybrid = Hybrid()
    tcq: Tcq = Tcq()
    artifact: Artifact = Artifact()
    evaluate: Evaluate = Evaluate()
    ppm_seed: PpmSeed = PpmSeed()
    ppm_trie: PpmTrie = PpmTrie()

    def __post_init__(self) -> None:
        require(self.track in TRACKS, "track", "one of " + ", ".join(TRACKS), self.track)
        require(
            self.train.max_wallclock_seconds == 0 or self.quantize.reserve_seconds < self.train.max_wallclock_seconds,
            "quantize.reserve_seconds",
            f"below train.max_wallclock_seconds = {self.train.max_wallclock_seconds}",
            self.quantize.reserve_seconds,
        )
        require(
            self.artifact.target_bytes == 0 or self.quantize.method == "tcq",
            "artifact.target_bytes",
            'unset unless quantize.method = "tcq"',
            self.artifact.target_bytes,
        )
        require(
            self.evaluate.stride <= self.train.seq_len,
            "evaluate.stride",
            f"at most train.seq_len = {self.train.seq_len}",
            self.evaluate.stride,
        )

    @property
    def settings(self) -> tuple[str, ...]:
        """`key: value` of every setting that no run changes, for its log; names are the competition's where it has one.

        Settings of a mixer or a quantizer with a section of its own appear under its name, and only where the recipe
        runs it; those of some parts only where they are on.
        """
        sections = asdict(self)
        values = {"recipe": sections.pop("name"), "title": sections.pop("title"), "track": sections.pop("track")}
        for section, fields in sections.items():
            for key, value in fields.items():
                if section in (*self.evaluate.mixers, self.quantize.method):
                    values[f"{section}_{key}"] = value
                elif section not in (*MIXERS, *METHODS) and (value or key not in SHOWN_IF_ON):
                    values[RENAMED.get(key, key)] = value
        listed = {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
        return tuple(f"{key}: {value}" for key, value in listed.items() if key not in PER_RUN)

    @property
    def artifact_id(self) -> str:
        """Sixteen hex digits over everything that decides how an artifact is read; evaluation may change without it."""
        parts = [asdict(self.model), asdict(self.quantize)]
        if self.quantize.method == "hybrid":
            parts.append(asdict(self.hybrid))
        if self.quantize.method == "tcq":
            parts.append(asdict(self.tcq))
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
