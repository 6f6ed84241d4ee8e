"""The whole run on the tiny recipe: its log, its artifact, its errors."""

import os
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.support.tiny_run import TinyRun
from toolkit.components.base.native import compile_native
from toolkit.components.main import main
from toolkit.components.training.ema import WeightAverage
from toolkit.recipe import load_recipe
from toolkit.run.runlog import RunLog, read_runs

SCRIPT = __file__  # any file stands for the script
Run = Callable[..., str]

LINES = r"""Hyperparameters:
(  \w+: .*
)+hardware: .+
train_shards: 3
val_tokens: (\d+)
val_targets: \d+
val_bytes: \d+
model_params:\d+
warmup_step: 1/1
(\d+/20 train_loss: \d\.\d{8} train_time: 0\.\dm tok/s: \d+
){20}peak memory allocated: \d+ MiB reserved: \d+ MiB
ema:applying EMA weights
GPTQ:collecting Hessians from calibration data\.\.\.
GPTQ:collected 13 Hessians in \d+\.\ds
train_time_with_calibration: \d+ms
pre-quantization post-ema val_loss:\d\.\d{8} val_bpb:\d\.\d{8} eval_time:\d+ms
GPTQ quantization: 13 layers with full GPTQ, 1 fallback to round-to-nearest
Serialized model: \d+ bytes
(artifact_bytes:\S+ (symbols|scales|passthrough):\d+
)+artifact_bytes:all symbols:\d+
artifact_bytes:all scales:\d+
artifact_bytes:all passthrough:\d+
Code size: \d+ bytes
Serialized model int6\+brotli: \d+ bytes
Total submission size int6\+brotli: \d+ bytes
bundle_sha256: [0-9a-f]{64}
final_int6_roundtrip val_loss:\d\.\d{8} val_bpb:\d\.\d{8} eval_time:\d+ms
final_int6_sliding_window val_loss:\d\.\d{8} val_bpb:\d\.\d{8} eval_time:\d+ms
total_eval_time:\d+\.\ds
"""


@pytest.fixture
def run(
    tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Run]:
    """Run the recipe with overrides of the environment; returns what it printed."""
    handler = signal.getsignal(signal.SIGTERM)

    def run(recipe: Path | None = None, **overrides: str) -> str:
        for name, value in tiny_run.environment(tmp_path / "run", **overrides).items():
            monkeypatch.setenv(name, value)
        main(load_recipe(recipe or tiny_run.recipe), SCRIPT)
        return capsys.readouterr().out

    yield run
    signal.signal(signal.SIGTERM, handler)


def read_log(tmp_path: Path, name: str = "run/train_seed42.log") -> RunLog:
    (log,) = read_runs(tmp_path / name)
    return log


def losses(output: str) -> list[str]:
    return re.findall(r"train_loss: (\S+)", output)


def scores(output: str) -> list[str]:
    return re.findall(r"^final_\S+ val_loss:(\S+ val_bpb:\S+)", output, re.MULTILINE)


def test_log_has_every_line_in_its_place_and_is_what_was_printed(run: Run, tmp_path: Path) -> None:
    output = run()
    assert re.fullmatch(LINES, output)
    assert (tmp_path / "run" / "train_seed42.log").read_text() == output
    settings = re.findall(r"^  (\w+): ", output, re.MULTILINE)
    assert settings == sorted(set(settings))
    assert {"seed", "vocab_size", "world_size", "grad_accum_steps", "stages", "track", "recipe"} <= set(settings)


def test_log_says_what_the_files_hold(run: Run, tmp_path: Path) -> None:
    output = run()
    log = read_log(tmp_path)
    code_bytes = os.path.getsize(SCRIPT)
    model_bytes = (tmp_path / "run" / "final_model.ptz").stat().st_size
    assert log.seed == 42
    assert log.steps == 20
    assert log.number("code_bytes") == code_bytes
    assert log.number("model_bytes") == model_bytes
    assert log.artifact_bytes == code_bytes + model_bytes
    assert log.val_bpb == float(scores(output)[-1].split(":")[1])
    assert log.number("val_targets") == log.number("val_tokens") - 1
    assert [path.name for path in sorted((tmp_path / "run").iterdir())] == ["final_model.ptz", "train_seed42.log"]


@pytest.mark.parametrize("setting", ['[evaluate]\nstages = ["sliding+ppm_seed"]', '[quantize]\nmethod = "tcq"'])
def test_without_a_compiler_no_time_is_spent_on_training(
    run: Run, tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    compile_native.cache_clear()
    shutil.copy(tiny_run.recipe, tmp_path / "tiny.toml")
    recipe = tmp_path / "native.toml"
    recipe.write_text(f'extends = "tiny"\n{setting}\n')
    monkeypatch.setenv("CC", "no-such-compiler")
    with pytest.raises(SystemExit, match=r"^error: C compiler 'no-such-compiler': expected [^\n]+$"):
        run(recipe)
    assert not (tmp_path / "run").exists()
    assert losses(run())  # nothing in this recipe needs C


def test_a_seed_decides_every_bit(run: Run, tmp_path: Path) -> None:
    outputs = [run(ARTIFACT_PATH=str(tmp_path / f"{i}.ptz"), SEED=seed) for i, seed in enumerate(("7", "7", "8"))]
    blobs = [(tmp_path / f"{i}.ptz").read_bytes() for i in range(3)]
    assert losses(outputs[0]) == losses(outputs[1]) != losses(outputs[2])
    assert blobs[0] == blobs[1] != blobs[2]
    assert scores(outputs[0]) == scores(outputs[1])


def test_evaluation_alone_needs_no_training_data_and_gives_the_same_scores(
    run: Run, tiny_run: TinyRun, tmp_path: Path
) -> None:
    trained = run()
    (tmp_path / "val").mkdir()
    for shard in tiny_run.root.glob("datasets/tiny/fineweb_val_*.bin"):
        shutil.copy(shard, tmp_path / "val")
    evaluated = run(EVAL_ONLY="1", DATA_PATH=str(tmp_path / "val"))
    assert scores(evaluated) == scores(trained)
    assert (tmp_path / "run" / "eval_seed42.log").read_text() == evaluated
    assert "train" not in re.sub(r"^  .*\n", "", evaluated, flags=re.MULTILINE)
    tail = evaluated[evaluated.index("Code size") :]
    assert re.sub(r"time:\S+", "", tail) == re.sub(r"time:\S+", "", trained[trained.index("Code size") :])


def test_sigterm_ends_training_and_the_artifact_is_written(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update, updates = WeightAverage.update, count(1)

    def update_and_signal(average: WeightAverage) -> None:
        update(average)
        if next(updates) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(WeightAverage, "update", update_and_signal)
    output = run()
    assert re.search(r"^stopping_early: sigterm train_time: \d+ms step: 3/20$", output, re.MULTILINE)
    assert len(losses(output)) == 3
    assert scores(run(EVAL_ONLY="1")) == scores(output)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL  # from here on a second signal ends the process


def test_baseline_settings_train_too(run: Run, tiny_run: TinyRun, tmp_path: Path) -> None:
    """No average, no Hessians, iterations of warm-down, validation on the way."""
    recipe = tmp_path / "plain.toml"
    recipe.write_text(
        'extends = "tiny"\n[data]\nloader = "contiguous"\n[optimizer]\nema_decay = 0.0\n'
        "[train]\nwarmdown_fraction = 0.0\nwarmdown_iterations = 5\nval_every = 10\nlog_every = 10\n"
        '[quantize]\nmethod = "percentile"\nmatrix_bits = 8\ncompressor = "zlib"\n'
    )
    shutil.copy(tiny_run.recipe, tmp_path)
    output = run(recipe)
    assert re.findall(r"^(\d+)/20 val_loss: \d\.\d{4} val_bpb: \d\.\d{4}$", output, re.MULTILINE) == ["0", "10", "20"]
    assert "ema:" not in output
    assert "GPTQ:" not in output
    assert "GPTQ quantization: 0 layers with full GPTQ, 14 fallback" in output
    assert re.search(r"^final_int8_roundtrip val_loss", output, re.MULTILINE)


def test_trellis_coded_weights_fill_the_target(run: Run, tiny_run: TinyRun, tmp_path: Path) -> None:
    recipe, target = tmp_path / "tcq.toml", Path(SCRIPT).stat().st_size + 25_000
    recipe.write_text(
        'extends = "tiny"\n[quantize]\nmethod = "tcq"\n[tcq]\nstates = 4\n'
        f"[artifact]\ntarget_bytes = {target}\nmargin_bytes = 10\n"
    )
    shutil.copy(tiny_run.recipe, tmp_path)
    output = run(recipe)
    assert "GPTQ:collected 28 Hessians in" in output
    (total_bytes,) = re.findall(r"^Total submission size tcq\+rans: (\d+) bytes$", output, re.MULTILINE)
    assert target - 2010 < int(total_bytes) <= target - 10
    assert scores(run(recipe, EVAL_ONLY="1")) == scores(output)
    assert float(scores(output)[0].split()[0]) < 5  # ln 300 = 5.7


def test_trellis_coded_weights_by_torch_need_no_compiler(
    run: Run, tiny_run: TinyRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_native.cache_clear()
    shutil.copy(tiny_run.recipe, tmp_path)
    recipe = tmp_path / "torch.toml"
    recipe.write_text(
        'extends = "tiny"\n[quantize]\nmethod = "tcq"\npassthrough_max_numel = 9000\n[tcq]\nengine = "torch"\n'
    )
    monkeypatch.setenv("CC", "no-such-compiler")
    output = run(recipe, ITERATIONS="2")
    assert "all symbols:" in output
    assert scores(run(recipe, EVAL_ONLY="1")) == scores(output)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"TOKENIZER_PATH": "nowhere.model"}, "nowhere.model: expected a SentencePiece model, found"),
        ({"TOKENIZER_PATH": SCRIPT}, "test_main.py: expected a SentencePiece model, found"),
        ({"DATA_PATH": "nowhere"}, "nowhere: expected shards fineweb_val_*.bin, found none"),
        ({"SEED": "x"}, "SEED: expected a number from 0 to 2^31 in the environment, found 'x'"),
        ({"SEED": "-1"}, "SEED: expected a number"),
        ({"ITERATIONS": "1e9"}, "ITERATIONS: expected a number"),
        ({"EVAL_ONLY": "yes"}, "EVAL_ONLY: expected a number"),
        ({"MAX_WALLCLOCK_SECONDS": "nan"}, "MAX_WALLCLOCK_SECONDS: expected a number"),
        ({"MAX_WALLCLOCK_SECONDS": "0.1"}, "MAX_WALLCLOCK_SECONDS: expected more than quantize.reserve_seconds = 0.1"),
        ({"EVAL_ONLY": "1"}, "final_model.ptz: expected an artifact, found: No such file"),
        ({"EVAL_ONLY": "1", "ARTIFACT_PATH": SCRIPT}, "artifact: expected"),
        ({"RUN_DIR": SCRIPT}, "expected a file that can be written, found: File exists"),
        ({"ARTIFACT_PATH": f"{SCRIPT}/x", "ITERATIONS": "1"}, "expected a file that can be written, found: File exi"),
    ],
)
def test_bad_input_is_one_line(run: Run, overrides: dict[str, str], expected: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(**overrides)
    message = str(exit_.value.code)
    assert message.startswith("error: ")
    assert expected in message
    assert "\n" not in message


def test_a_damaged_training_shard_is_found_before_training(run: Run, tiny_run: TinyRun, tmp_path: Path) -> None:
    shutil.copytree(tiny_run.root / "datasets" / "tiny", tmp_path / "data")
    cut(tmp_path / "data" / "fineweb_train_000001.bin")
    with pytest.raises(SystemExit, match=r"fineweb_train_000001.bin: expected 1024 \+ 2N bytes"):
        run(DATA_PATH=str(tmp_path / "data"))
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("name", ["train_seed42.log", "final_model.ptz.partial"])
def test_a_full_disk_is_one_line_and_no_artifact(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).symlink_to("/dev/full")
    with pytest.raises(
        SystemExit, match=r"error: .*expected a file that can be written, found: No space left on device"
    ):
        run(ITERATIONS="1")
    assert not (tmp_path / "run" / "final_model.ptz").exists()
    assert not (tmp_path / "run" / "final_model.ptz.partial").exists()


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        (("scalar_lr", "embed_lr", "matrix_lr"), r"step \d+: expected a finite training loss, found nan; lower the"),
        (("scalar_lr",), r"skip_weights: expected finite numbers"),  # the loss itself hides behind norms and softcap
    ],
)
def test_a_diverging_run_is_one_line(
    run: Run, tiny_run: TinyRun, tmp_path: Path, rates: tuple[str, ...], expected: str
) -> None:
    shutil.copy(tiny_run.recipe, tmp_path)
    wild = tmp_path / "wild.toml"
    wild.write_text('extends = "tiny"\n[optimizer]\n' + "".join(f"{rate} = 2e9\n" for rate in rates))
    with pytest.raises(SystemExit, match=f"^error: {expected}"):
        run(wild)
    assert not (tmp_path / "run" / "final_model.ptz").exists()
