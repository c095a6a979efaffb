"""The PyTorch side of the peer benchmark.

Reads one JSON request a line on standard input, answers with one JSON line each:

    {"do": "prepare", "case": {...}, "threads": 1}   ->  {"variant": "one-hot"}
    {"do": "measure", "repetitions": 3}              ->  {"milliseconds": [8.1, 8.2, 8.1]}

A case is what `src/cli/bench/cases.ts` describes. Everything that a training loop would prepare once (tensors, one-hot
inputs, the optimiser) is prepared outside the measured part. Each repetition runs the case often enough to last some
tens of milliseconds and counts the mean of one run. Where PyTorch has two equally good ways to say the same network,
both are tried and the faster one is measured.
"""

import json
import sys
import time

import torch
from torch import nn

REPETITION_SECONDS = 0.05


def layer_case(case, _variant):
    """One recurrent layer, forward and backward, with the gradients of inputs and parameters."""
    time_steps, batch = case["time"], case["batch"]
    kind = nn.LSTM if case["cell"] == "lstm" else nn.GRU
    layer = kind(case["input"], case["units"])
    inputs = torch.randn(time_steps, batch, case["input"], requires_grad=True)
    output_gradient = torch.randn(time_steps, batch, case["units"])

    def run():
        inputs.grad = None
        layer.zero_grad(set_to_none=True)
        outputs, _ = layer(inputs)
        outputs.backward(output_gradient)

    return run


def ragged_case(case, variant):
    """Rows that end early, the longest first, as a packed sequence; rows of all steps as they are."""
    time_steps, batch = case["time"], case["batch"]
    lengths = torch.tensor(case["lengths"])
    layer = nn.LSTM(case["input"], case["units"])
    inputs = torch.randn(time_steps, batch, case["input"], requires_grad=True)
    living = (torch.arange(time_steps)[:, None] < lengths[None, :]).unsqueeze(2)
    output_gradient = torch.randn(time_steps, batch, case["units"]) * living

    def run():
        inputs.grad = None
        layer.zero_grad(set_to_none=True)
        if variant == "packed":
            packed, _ = layer(nn.utils.rnn.pack_padded_sequence(inputs, lengths))
            outputs, _ = nn.utils.rnn.pad_packed_sequence(packed)
        else:
            outputs, _ = layer(inputs)
        outputs.backward(output_gradient)

    return run


def scan_case(case, _variant):
    """An LSTM as a loop over LSTMCell, as anyone writes a cell of their own, with the same gradients."""
    time_steps, batch, units = case["time"], case["batch"], case["units"]
    cell = nn.LSTMCell(case["input"], units)
    inputs = torch.randn(time_steps, batch, case["input"], requires_grad=True)
    output_gradient = torch.randn(time_steps, batch, units)

    def run():
        inputs.grad = None
        cell.zero_grad(set_to_none=True)
        hidden, memory = torch.zeros(batch, units), torch.zeros(batch, units)
        outputs = []
        for step in inputs.unbind():
            hidden, memory = cell(step, (hidden, memory))
            outputs.append(hidden)
        torch.stack(outputs).backward(output_gradient)

    return run


class Model(nn.Module):
    """Symbols or features, recurrent layers, a dense layer on every step or on the last one."""

    def __init__(self, case, variant):
        super().__init__()
        kind = nn.LSTM if case["cell"] == "lstm" else nn.GRU
        self.embedding = nn.Embedding(case["symbols"], 64) if variant == "embedding" else None
        features = case["symbols"] or case["input"]
        self.recurrent = kind(64 if variant == "embedding" else features, case["units"], num_layers=case["layers"])
        self.dense = nn.Linear(case["units"], case["symbols"] or case["classes"])
        self.last_step = not case["symbols"]

    def forward(self, inputs):
        if self.embedding is not None:
            inputs = self.embedding(inputs)
        outputs, _ = self.recurrent(inputs)
        return self.dense(outputs[-1] if self.last_step else outputs)


def step_case(case, variant):
    """A whole training step: forward, cross entropy, backward, clipping by global norm, Adam."""
    time_steps, batch, symbols = case["time"], case["batch"], case["symbols"]
    if symbols:
        ids = torch.randint(symbols, (time_steps, batch))
        inputs = ids if variant == "embedding" else nn.functional.one_hot(ids, symbols).float()
        targets = torch.randint(symbols, (time_steps * batch,))
    else:
        inputs = torch.randn(time_steps, batch, case["input"])
        targets = torch.randint(case["classes"], (batch,))
    model = Model(case, variant)
    parameters = list(model.parameters())
    optimiser = torch.optim.Adam(parameters, lr=1e-3, fused=True)

    def run():
        optimiser.zero_grad(set_to_none=True)
        logits = model(inputs)
        loss = nn.functional.cross_entropy(logits.reshape(targets.shape[0], -1), targets)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        optimiser.step()

    return run


def variants(case):
    if case["kind"] == "step" and case["symbols"]:
        return ["one-hot", "embedding"]
    if case["kind"] == "ragged" and min(case["lengths"]) < case["time"]:
        return ["packed"]
    return ["plain"]


def seconds_of(run, runs):
    start = time.perf_counter()
    for _ in range(runs):
        run()
    return (time.perf_counter() - start) / runs


def prepare(case):
    """Builds every variant, warms it up and keeps the fastest: (name, run, runs in a repetition)."""
    build = {"layer": layer_case, "scan": scan_case, "ragged": ragged_case, "step": step_case}[case["kind"]]
    best = None
    for variant in variants(case):
        torch.manual_seed(1)
        run = build(case, variant)
        seconds_of(run, 3)
        seconds = min(seconds_of(run, max(1, int(0.02 / seconds_of(run, 1)))) for _ in range(3))
        if best is None or seconds < best[0]:
            best = (seconds, variant, run)
    seconds, variant, run = best
    return variant, run, max(1, round(REPETITION_SECONDS / seconds))


def main():
    torch.set_num_interop_threads(1)
    print(json.dumps({"version": torch.__version__}), flush=True)
    run, runs = None, 1
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "prepare":
            torch.set_num_threads(request["threads"])
            variant, run, runs = prepare(request["case"])
            answer = {"variant": variant}
        else:
            # As in src/cli/bench/measure.ts: what ran before comes to rest, the caches fill.
            time.sleep(0.05)
            seconds_of(run, 1)
            answer = {"milliseconds": [1e3 * seconds_of(run, runs) for _ in range(request["repetitions"])]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
