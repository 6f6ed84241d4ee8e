"""Each static rule on a minimal script that breaks it, and on the legal look-alike that it must leave alone."""

import textwrap
from collections.abc import Callable

import pytest

from tests.support.scripts import (
    ADAPT,
    BLEND,
    CALIBRATE,
    GATE,
    HEAD,
    HINT,
    LOSSES,
    MAIN,
    NGRAM,
    NGRAM_SETUP,
    PAID,
    SCORE,
    SCORE_FIRST,
    SLOT,
    SPREAD,
    TAKE_SCORE,
    TAKE_STEPS,
    scoring,
    script,
)
from toolkit.check.static.analyze import analyze
from toolkit.check.static.context.settings import Settings


def rules(source: str, settings: Settings | None = None, others: dict[str, str] | None = None) -> dict[str, str]:
    """Worst status by rule."""
    worst: dict[str, str] = {}
    for finding in analyze({"train_gpt.py": source} | (others or {}), "train_gpt.py", settings):
        if worst.get(finding.rule) != "FAIL":
            worst[finding.rule] = finding.status
    return worst


def test_a_plain_script_has_no_finding() -> None:
    assert rules(script()) == {}


def test_ngram_hash() -> None:
    found = rules(script(scoring(NGRAM, NGRAM_SETUP)))
    assert found["NGRAM-HASH"] == "FAIL"
    assert found["C2-NORMALIZED"] == "FAIL"


@pytest.mark.parametrize(
    "full",
    [
        "(key * 91397 + y * 48571) % 4096",
        "(torch.cat([x[:, None], y[:, None]], 1) * primes).sum(1) ^ 7",
        "torch.bitwise_xor(key * 36313, y) % 4096",
    ],
)
def test_ngram_hash_by_other_arithmetic(full: str) -> None:
    body = NGRAM.replace("((x * 36313) ^ (y * 27191)) & 4095", full)
    assert rules(script(scoring(body, NGRAM_SETUP + "\nprimes = torch.tensor([36313, 27191])")))["NGRAM-HASH"] == "FAIL"


def test_rolling_hashes_of_the_context_are_no_hashed_ngram() -> None:
    body = HINT.replace("(x * 36313) & 4095", "(hashes[x.numel()] * 36313 + x) % 4096")
    assert rules(script(scoring(body, "best = hashes = torch.full((4096,), -1)"))) == {}


def test_a_hint_from_the_prefix_with_its_normaliser_is_no_hashed_ngram() -> None:
    assert rules(script(scoring(HINT, "best = torch.full((4096,), -1)"))) == {}


def test_a_bigram_embedding_is_no_hashed_ngram() -> None:
    head = HEAD.replace(
        "self.head(self.embed(x))",
        "self.head(self.embed(x) + self.embed((x[..., 1:] * 36313) ^ (x[..., :-1] * 27191) % 1023))",
    )
    assert rules(script(head=head)) == {}


def test_an_unreachable_ngram_is_no_finding() -> None:
    body = "score = nll\nif int(os.environ.get('NGRAM_ORDER', '0')) > 0:\n" + textwrap.indent(NGRAM, "    ")
    source = script(scoring(body, NGRAM_SETUP))
    assert rules(source) == {}
    assert rules(source, Settings(command={"NGRAM_ORDER": "5"}))["NGRAM-HASH"] == "FAIL"


def test_target_gate() -> None:
    found = rules(
        script(scoring(GATE.format(condition="is_word[y]"), "counts = torch.zeros(1024)\nis_word = torch.zeros(1024)"))
    )
    assert found["TARGET-GATE"] == "FAIL"


def test_a_gate_on_the_context_is_legal() -> None:
    found = rules(script(scoring(GATE.format(condition="counts[x] > 2"), "counts = torch.zeros(1024)")))
    assert "TARGET-GATE" not in found


def test_byte_spread() -> None:
    assert rules(script(SPREAD.format(length="len(piece)", mix=BLEND)))["BYTE-SPREAD"] == "FAIL"


def test_dividing_by_bytes_without_a_second_model_is_a_figure_not_a_mixture() -> None:
    assert rules(script(SPREAD.format(length="len(piece)", mix="total -= each"))) == {}


@pytest.mark.parametrize(("divisor", "status"), [("len(piece)", "FAIL"), ("temperature", None)])
def test_a_root_of_a_probability_is_a_spread_loss(divisor: str, status: str | None) -> None:
    source = SPREAD.replace("-float(nll[i]) / {length}", f"pow(np.exp(-float(nll[i])), 1.0 / {divisor})")
    mix = "total -= np.log(0.5 * each + 0.5 * p)"
    assert rules(script("temperature = 1.1\n" + source.format(mix=mix))).get("BYTE-SPREAD") == status


SPELLED = (
    LOSSES
    + """    tables, history, total = {{}}, bytearray(), 0.0
    pieces = [b"a", b"bc"]
    for i in range(len(target)):
        own, spelled = np.exp(-float(nll[i])), 1.0
        {before}
        for byte in pieces[int(target[i])]:
            {inside}
            counts, p = tables.setdefault(bytes(history), {{}}), None
            if byte in counts:
                p = counts[byte] / (1 + sum(counts.values()))
            spelled *= 1 / 256 if p is None else p
            counts[byte] = counts.get(byte, 0) + 1
            history.append(byte)
        weight = 0.05 if confidence > 0.9 else 0.9
        total -= np.log(weight * own + (1 - weight) * spelled)
    return total
"""
)
CONFIDENCE = "known = tables.get(bytes(history), {1: 1}); confidence = max(known.values()) / sum(known.values())"


def test_a_weight_left_by_the_bytes_of_the_token_is_a_target_gate() -> None:
    assert rules(script(SPELLED.format(before="pass", inside=CONFIDENCE)))["TARGET-GATE"] == "FAIL"


def test_a_weight_from_the_bytes_before_the_token_is_legal() -> None:
    assert rules(script(SPELLED.format(before=CONFIDENCE, inside="pass"))) == {}


def test_slot_on_the_scored_targets() -> None:
    found = rules(script(scoring(SLOT.format(fitted="logits + delta, y"))))
    assert found["SLOT"] == "FAIL"
    assert found["C1-CAUSAL"] == "FAIL"


def test_slot_on_earlier_positions_is_disputed() -> None:
    found = rules(
        script(scoring(SLOT.format(fitted="(logits + delta)[:context_end], y[:context_end]"), "context_end = 32"))
    )
    assert found["SLOT"] == "WARN"
    assert "FAIL" not in found.values()


@pytest.mark.parametrize(("mask", "status"), [("[s:end]", "FAIL"), ("[8:s]", "WARN"), ("[:s]", "WARN")])
def test_slot_through_a_mask(mask: str, status: str) -> None:
    setup = f"s, end = 32, 64\nmask = torch.zeros(64)\nmask{mask} = 1.0"
    fitted = "logits + delta, y, reduction='none').mul(mask).sum("
    assert rules(script(scoring(SLOT.format(fitted=fitted), setup)))["SLOT"] == status


def test_slot_on_a_model_that_reads_raw_windows() -> None:
    """What is read without a role is context, and slices of features are not of positions."""
    head = HEAD.replace("self.head(self.embed(x))", "self.head(self.embed((x[1:] * 3) ^ x[:-1])[..., :8])")
    evaluate = scoring(SLOT.format(fitted="logits + delta, y).sum("))
    evaluate = evaluate.replace("chunk[:-1], chunk[1:]", "tokens[start : start + 64], tokens[start + 1 : start + 65]")
    assert rules(script(evaluate, head=head))["SLOT"] == "FAIL"


def test_training_on_the_validation_stream_before_its_score() -> None:
    found = rules(script(ADAPT + SCORE, before="adapt(model, val)"))
    assert found["PREQUANT-TTT"] == "FAIL"
    assert found["C3-SCORE-FIRST"] == "FAIL"


COPY = """
def adapt(model, tokens):
    twin = GPT()
    twin.load_state_dict({k: v for k, v in model.state_dict().items()})
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.01)
    for epoch in range(3):
        for start in range(0, tokens.numel() - 1, 64):
            chunk = tokens[start : start + 65]
            twin(chunk[:-1], chunk[1:]).backward()
            optimizer.step()
    torch.save({"w": {k: v.half() for k, v in {saved}.state_dict().items()}}, "model.ptz")
    scored = GPT()
    scored.load_state_dict(torch.load("model.ptz")["w"])
    return scored
"""


@pytest.mark.parametrize(("saved", "status"), [("twin", "FAIL"), ("model", "WARN")])
def test_a_state_is_followed_through_a_file(saved: str, status: str) -> None:
    found = rules(script(COPY.replace("{saved}", saved) + SCORE, before="model = adapt(model, val)"))
    assert found["C3-SCORE-FIRST"] == status


def test_score_first_adaptation_is_legal() -> None:
    assert rules(script(SCORE_FIRST.format(first=TAKE_SCORE, second=TAKE_STEPS))) == {}


def test_steps_before_the_score_of_the_same_chunk() -> None:
    assert rules(script(SCORE_FIRST.format(first=TAKE_STEPS, second=TAKE_SCORE)))["C3-SCORE-FIRST"] == "FAIL"


def test_training_on_the_chunk_before_the_scored_one_is_legal() -> None:
    first = """if start > 0:
            model(tokens[start - 64 : start], tokens[start - 63 : start + 1]).backward()
            optimizer.step()"""
    assert "FAIL" not in rules(script(SCORE_FIRST.format(first=first, second=TAKE_SCORE))).values()


def test_a_compile_warm_up_of_throw_away_parameters_is_disputed() -> None:
    warm_up = """
def adapt(model, tokens):
    probe = nn.Linear(64, 1024)
    optimizer = torch.optim.SGD(probe.parameters(), lr=0.01)
    F.cross_entropy(probe(model.embed(tokens[:64])), tokens[1:65]).backward()
    optimizer.step()
"""
    assert rules(script(warm_up + SCORE, before="adapt(model, val)"))["C3-SCORE-FIRST"] == "WARN"


def test_the_score_of_a_later_epoch() -> None:
    evaluate = SCORE_FIRST.replace("    for start", "    for epoch in range(3):\n     for start").format(
        first=TAKE_SCORE, second=TAKE_STEPS
    )
    assert rules(script(evaluate))["C3-SCORE-FIRST"] == "FAIL"


def test_the_score_of_a_later_epoch_kept_by_document() -> None:
    """Scores that every epoch overwrites in a list, which is summed up afterwards."""
    evaluate = """
def evaluate(model, tokens):
    total, kept = 0.0, [torch.zeros(()) for _ in range(8)]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    for {counter} in range(3):
        for b in range(8):
            x, y = tokens[b * 64 : b * 64 + 65][:-1], tokens[b * 64 : b * 64 + 65][1:]
            loss = F.cross_entropy(model.logits(x), y, reduction="none").sum()
            kept[b] += loss
            loss.backward()
            optimizer.step()
    for b in range(8):
        total += kept[b]
    return total
"""
    assert rules(script(evaluate.format(counter="epoch")))["C3-SCORE-FIRST"] == "FAIL"
    assert rules(script(evaluate.format(counter="chunk"))) == {}


def test_a_table_filled_by_an_earlier_pass() -> None:
    passes = """
def evaluate(model, tokens):
    table, total = torch.zeros(1024, 1024), 0.0
    stream = tokens.numpy()
    for i in range(1, len(stream)):
        np.add.at(table, stream[i - 1], 1)
    for start in range(0, tokens.numel() - 1, 64):
        x, y = tokens[start : start + 65][:-1], tokens[start : start + 65][1:]
        total += (F.cross_entropy(model.logits(x), y, reduction="none") + table[x]).sum().item()
    return total
"""
    assert rules(script(passes))["C4-SINGLE-PASS"] == "FAIL"


def test_the_better_of_two_losses() -> None:
    body = "{}\nother = F.cross_entropy(model.logits(x) * 0.9, y, reduction='none')\nscore = {}"
    assert rules(script(scoring(body.format("", "torch.minimum(nll, other)"))))["MIN-NLL-ORACLE"] == "FAIL"
    assert rules(script(scoring(body.format("", "torch.clamp(nll, max=20.0)")))) == {}


def test_a_loss_replaced_by_a_smaller_one() -> None:
    body = """
    other = F.cross_entropy(model.logits(x) * 0.9, y, reduction='none')
    score = nll.clone()
    for i in range(64):
        new, old = other[i].item(), score[i].item()
        {}
            score[i] = new
    """
    assert rules(script(scoring(body.format("if new < old:"))))["MIN-NLL-ORACLE"] == "FAIL"
    assert rules(script(scoring(body.format("if i < 32:")))) == {}


BY_DOCUMENT = """
def evaluate(model, tokens):
    total, best = 0.0, float("inf")
    for start in range(0, tokens.numel() - 1, 64):
        chunk = tokens[start : start + 65]
        kept, least = torch.zeros(()), float("inf")
        for scale in (0.9, 1.0, 1.1):
            loss = F.cross_entropy(model.logits(chunk[:-1]) * scale, chunk[1:], reduction="none").sum()
            mean = loss.item() / 64
            {keep}
        total += kept
    return total
"""


@pytest.mark.parametrize(
    ("keep", "status"),
    [
        ("if mean < least: least = mean; kept.copy_(loss)", "FAIL"),
        ("kept = min(loss, model(chunk[:-1], chunk[1:]))", "FAIL"),
        ("kept = loss\n            if mean < best: best = mean", None),
    ],
)
def test_the_best_loss_of_a_document_added_to_the_score(keep: str, status: str | None) -> None:
    assert rules(script(BY_DOCUMENT.format(keep=keep))).get("MIN-NLL-ORACLE") == status


def test_the_best_of_whole_evaluations_is_a_choice_of_settings() -> None:
    main = "bpb = min(bpb, evaluate(model, val))\n    print(f"
    assert rules(script().replace("print(f", main)) == {}


CACHED = """
sizes = {}
def size(file):
    if str(file) not in sizes:
        sizes[str(file)] = int(np.fromfile(file, dtype="<i4", count=3)[2])
    return sizes[str(file)]
def load(pattern):
    files = [f for f in sorted(glob.glob(pattern))]
    return torch.cat([torch.from_numpy(np.fromfile(f, dtype="<u2"))[: size(f)] for f in files])
"""


def test_a_cache_by_file_name_does_not_mix_the_splits() -> None:
    evaluate_first = MAIN.replace("    train(", "    load(os.path.join(data, 'fineweb_val_*.bin'))\n    train(")
    source = HEAD + CACHED + textwrap.dedent(SCORE) + evaluate_first.format(before="pass")
    assert rules(source) == {}


def test_training_on_the_validation_glob() -> None:
    source = script().replace(
        '"fineweb_train_*.bin"',
        '"fineweb_val_*.bin" if int(os.environ.get("TRAIN_ON_VAL", "0")) else "fineweb_train_*.bin"',
    )
    assert rules(source) == {}
    assert rules(source, Settings(command={"TRAIN_ON_VAL": "1"}))["NO-VAL-IN-TRAINING"] == "FAIL"


def test_calibration_on_validation_tokens() -> None:
    assert rules(script(CALIBRATE + SCORE, before="collect_hessians(model, val)"))["VAL-CALIBRATION"] == "FAIL"


def test_calibration_after_the_training_clock() -> None:
    before = 'collect_hessians(model, load(os.path.join(data, "fineweb_train_*.bin")))'
    source = script(CALIBRATE + SCORE, before=before)
    assert rules(source)["GPTQ-CALIBRATION-BUDGET"] == "FAIL"
    assert rules(source, Settings(command={"CAP": "590"})) == {}


def test_self_generated_calibration_is_legal() -> None:
    assert rules(script(CALIBRATE + SCORE, before="collect_hessians(model, torch.randint(0, 1024, (4096,)))")) == {}


def test_a_table_of_training_statistics_at_evaluation() -> None:
    evaluate = scoring("score = nll + prior[x]", 'prior = fill(load("fineweb_train_*.bin"))')
    fill = """
def fill(tokens):
    table = torch.zeros(1024)
    table.scatter_add_(0, tokens, torch.ones(64))
    return table
"""
    assert rules(script(fill + evaluate))["NO-TRAIN-DATA-AT-EVAL"] == "FAIL"


def test_paid_prefix() -> None:
    assert rules(script(scoring(PAID.format(path="'prefix.xz'", against="y"))))["PAID-PREFIX"] == "FAIL"


def test_masking_by_the_input_is_no_paid_prefix() -> None:
    assert "PAID-PREFIX" not in rules(script(scoring("score = nll * ~(x == 1)")))


def test_installing_at_run_time_is_a_warning() -> None:
    source = (
        "import subprocess, sys\nsubprocess.check_call([sys.executable, '-m', 'pip install', 'brotli'])\n" + script()
    )
    assert rules(source)["NO-NETWORK"] == "WARN"
    assert "NO-NETWORK" not in rules("import subprocess\nsubprocess.run(['nvidia-smi'])\n" + script())


def test_an_undeclared_package_is_a_warning() -> None:
    source = "import mamba_ssm\n" + script()
    findings = analyze({"train_gpt.py": source}, "train_gpt.py")
    assert [(f.rule, f.status) for f in findings] == [("EXTERNAL-PACKAGES", "WARN")]
    assert analyze({"train_gpt.py": source}, "train_gpt.py", requirements="mamba-ssm>=2\n") == []


C_GATE = """
#include <stdint.h>
int hints(const uint16_t *tokens, int64_t n, const uint8_t *starts_word, float *prob) {
    for (int64_t i = 0; i < n; ++i) {
        const uint16_t tok = tokens[i];
        const uint8_t is_new = starts_word[tok];
        if (!is_new) {
            prob[i] = 0.5f;
        }
    }
    return 0;
}
"""


@pytest.mark.parametrize("where", ["file", "string"])
def test_a_gate_in_c_is_a_warning(where: str) -> None:
    setup = "import ctypes\nlib = ctypes.CDLL('hints.so')\n"
    body = "lib.hints(y.ctypes.data_as(ctypes.c_void_p), 64, None, None)\nscore = nll"
    others = {"hints.c": C_GATE} if where == "file" else {}
    if where == "string":
        setup += f"SOURCE = '''{C_GATE * 2}'''\n"
    source = setup + script(scoring(body))
    assert rules(source, others=others)["TARGET-GATE"] == "WARN"
    legal = C_GATE.replace("starts_word[tok]", "starts_word[i]")
    assert "TARGET-GATE" not in rules(source.replace(C_GATE, legal), others={"hints.c": legal} if others else None)


C_MIXTURE = """
double mixture(const uint16_t *target, const double *nll, int64_t n, const int *lengths) {
    double total = 0;
    for (int64_t i = 0; i < n; ++i) {
        int tok = target[i];
        int size = lengths[tok];
        double own = -nll[i] / size;
        for (int k = 0; k < size; ++k) {
            total -= log(lam * exp(own) + (1 - lam) * bytes(tok, k));
        }
    }
    return total;
}
"""


def test_losses_reach_c_through_a_file() -> None:
    setup = "import ctypes\nlib = ctypes.CDLL('mix.so')\n"
    body = "{}\nscore = nll"
    after = "lib.mixture(np.fromfile('t.bin'), np.fromfile('l.bin'), 64, None)"
    for kept, status in (("nll.numpy().tofile('l.bin')", "FAIL"), ("y.numpy().tofile('l.bin')", "WARN")):
        source = setup + script(scoring(body.format(kept))).replace(
            "    return total", f"    {after}\n    return total"
        )
        assert rules(source, others={"mix.c": C_MIXTURE})["BYTE-SPREAD"] == status


C_SPREAD = """
#include <math.h>
static double counts[256], all;
double next(int x) {
    double p = counts[x] / all;
    counts[x] += 1;
    all += 1;
    return p;
}
void mix(int n, const int *a, const char *t, double *b) {
    for (int i = 0; i < n; i++) {
        int c = a[i];
        double d = exp(-b[i] / c), e = 0, f = .5;
        for (int k = 0; k < c; k++) e -= log(f * d + (1 - f) * next(*t++));
        b[i] = e;
    }
}
"""


@pytest.mark.parametrize("literal", [repr, '"""{}"""'.format])
def test_a_spread_in_c_is_known_by_what_it_is_given(literal: Callable[[str], str]) -> None:
    """No name in the C tells what it works on."""
    setup = f"import ctypes\nlib = ctypes.CDLL('a.so')\nSOURCE = {literal(C_SPREAD)}\n"
    body = "nll = nll.numpy()\nlib.mix(len(nll), lengths[y].ctypes, text, nll.ctypes)\nscore = nll"
    found = {f.rule: f for f in analyze({"train_gpt.py": setup + script(scoring(body))}, "train_gpt.py")}
    assert found.keys() == {"BYTE-SPREAD", "C2-NORMALIZED"}
    assert found["BYTE-SPREAD"].status == "FAIL"
    assert "exp(-b[i] / c)" in found["BYTE-SPREAD"].evidence or literal is repr
    other = setup + script(scoring(body.replace("nll.ctypes)", "None)")))
    assert "BYTE-SPREAD" not in rules(other)


def test_findings_say_where_and_on_which_settings() -> None:
    body = "score = nll\nif int(os.environ.get('NGRAM_ORDER', '0')) > 0:\n" + textwrap.indent(NGRAM, "    ")
    findings = analyze(
        {"train_gpt.py": script(scoring(body, NGRAM_SETUP))}, "train_gpt.py", Settings(command={"NGRAM_ORDER": "5"})
    )
    finding = next(f for f in findings if f.rule == "NGRAM-HASH")
    assert finding.evidence == "p = pairs[full] / contexts[key].clamp(min=1)"
    assert finding.level == "command"
    assert finding.settings == ("NGRAM_ORDER=5 (command)",)
