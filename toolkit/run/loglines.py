"""The lines of a log: one pattern for each kind, by the first word of the line. `runlog` says what they mean.

Integers may have commas in between; every number is matched with a bounded number of digits.
"""

import re

INT = r"\d{1,18}"
COUNT = r"\d[\d,]{0,17}"
DECIMAL = r"\d{1,18}(?:\.\d{1,18})?"
SCORED = rf"(nan|-?inf|-?{DECIMAL}(?:e-?\d{{1,3}})?)"
RUN_START = re.compile(r"Hyperparameters:$|--- Hyperparameters ---|val_bpb:enabled ")
TIMESTAMP = re.compile(r"\d{10}\.\d{3} ")
HEAD = re.compile(r"[A-Za-z]\w*|\d")
SETTING = re.compile(r"  (\w+): (.*)$")
PAIR = re.compile(r"\b(\w{1,64})[:=](\S+)")
PAIR_LINES = {"activation", "activation_type", "train_batch_tokens", "train_loader", "val_bpb", "val_loader"}
SCORE = re.compile(
    r"([A-Za-z][\w:+.-]*(?: [\w+-]+)?)(?: stride:\d+)?"
    rf" val_loss[:=]{SCORED} (?:sliding )?val_bpb[:=]{SCORED}(?![\w.])(.*)"
)
SECONDS = re.compile(rf"\b(?:eval_time|time|elapsed)[:=]({DECIMAL})(ms|s)\b")
VALIDATION = re.compile(rf"(?:step:)?({INT})/({INT}) val_loss: ?{SCORED} val_bpb: ?{SCORED}(?: train_time:({INT})ms)?")
PHASE = re.compile(  # a part of the evaluation that tells its time and no score
    rf"(\w*(?:ttt|adapt|ngram|cache|ppm|slot|hint)\w*)\b(?!.*(?:\d/\d|val_bpb|compile|warmup|epoch|counted in)).*?"
    rf"(?:elapsed|time|completed in|done in)[:=]? ?({DECIMAL})(ms|s)\b",
    re.IGNORECASE,
)
# First word of a line (or "digit") -> its pattern, in which <name> is an integer, perhaps with commas, and <name.> a
# decimal number.
FACT_LINES = {
    head: re.compile(
        re.sub(r"(?<!P)<(\w+)(\.?)>", lambda m: rf"(?P<{m[1]}>{DECIMAL if m[2] else COUNT})", pattern),
    )
    for head, pattern in {
        "seed": r"seed[:=] ?<seed>(?: |$)",
        "SEED": r"SEED[:=] ?<seed>$",
        "Seed": r"Seed: <seed>\b",
        "world_size": r"world_size: ?<world_size>\b",
        "World": r"World size: <world_size>\b",
        "bundle_sha256": r"bundle_sha256: (?P<bundle_sha256>[0-9a-f]{64})$",
        "hardware": r"hardware: (?P<hardware>.+)$",
        "train_shards": r"train_shards: ?<train_shards>$",
        "train_loader": r"train_loader:.* train_shards:<train_shards>\b",
        "val_tokens": r"val_tokens: ?<val_tokens>$",
        "val_targets": r"val_targets: <val_targets>$",
        "val_bytes": r"val_bytes: <val_bytes>$",
        "val_loader": r"val_loader:.* tokens:<val_tokens>\b",
        "val": r"val tokens: <val_tokens>$",
        "Val": r"Val tokens: <val_tokens>(?: \(eval on <val_targets>\))?$",
        "Validation": r"Validation tokens: <val_tokens>$",
        "model_params": r"model_params: ?<model_params>\b",
        "step": r"step:<step>/<iterations> .*?\bt(?:rain_time)?:<step_ms>ms(?: step_avg:<step_avg_ms.>ms)?",
        "digit": r"<step>/<iterations> train_loss: \S+ train_time: <step_minutes.>m",
        "stopping_early": r"stopping_early: .*?train_time: ?<stop_ms>ms(?: step: ?<stop_step>/<iterations>)?",
        "train_time_with_calibration": r"train_time_with_calibration: <calibrated_ms>ms",
        "peak": r"peak memory allocated: <peak_mib> MiB",
        "Code": r"Code size(?: \((?P<kind>\w+)\))?: <code_bytes> bytes",
        "Serialized": r"Serialized model (?P<codec>\S+): <model_bytes> bytes",
        "Total": r"Total submission(?: size)?(?: (?P<codec>\S+))?: <total_bytes> bytes",
        "model": r"model:<model_bytes> code:<code_bytes> total:<total_bytes>\b",
        "total": r"total:<total_bytes>B$",
        "Artifact": r"Artifact: <model_bytes> bytes",
        "budget": r"budget:<total_bytes>/\d+ ",
        "artifact": r"artifact:\S+MB .*\bcode:<code_bytes>$",
        "INT7": r"INT7\+zlib model: <model_bytes> bytes \| Total submission: <total_bytes> bytes",
        "Raw": r"Raw model: \d+ bytes \| Code: <code_bytes> bytes",
        "gptq": r"gptq:(?:reserving (?:<reserve_ms.>ms|<reserve_seconds.>s)|"
        r"(?:\S+ )?(?:calibrated \d+ layers|done) in <calibration_seconds.>s|"
        r"(?:calibrating with|generating|collecting hessians from) (?P<calibration_source>.+))",
        "GPTQ": r"GPTQ:(?:collected \d+ Hessians in <calibration_seconds.>s|"
        r"collecting Hessians from (?P<calibration_source>.+))",
        "ttt": r"ttt:completed .*time:<adaptation_seconds.>s$",
        "TTT": r"TTT eval time: +<adaptation_seconds.>s$",
        "ttt_lora": r"ttt_lora:compile warmup done \(<compile_seconds.>s\)",
        "ngram_tilt": r"ngram_tilt:(?:hints .*\bwithin_gate=<within_gate> word_gate=<word_gate>\b|"
        r"precompute_outside\w* elapsed=<outside_seconds.>s)",
        "ppm_mix": r"ppm_mix bytes=<mix_bytes> mix_bpb=<mix_bpb.>\b",
        "total_eval_time": r"total_eval_time: ?<total_eval_seconds.>s$",
    }.items()
}
TEXT_FACTS = ("bundle_sha256", "hardware", "calibration_source")
PROMOTED = ("seed", "world_size", "vocab_size", "bundle_sha256")  # settings that are facts as well
