/** What is measured: layers, and whole training steps. `bench/peers/pytorch.py` reads the same objects. */

/**
 * One recurrent layer, forward and backward: `time` steps, `batch` rows, `input` features, `units`. `scan`: an LSTM that a user
 * wrote step by step, ours with `scan`, PyTorch's as a loop over its LSTMCell. `ragged`: rows that end after `lengths` steps,
 * PyTorch's as a packed sequence.
 */
export interface LayerCase {
  readonly kind: 'layer' | 'scan' | 'ragged';
  readonly name: string;
  readonly cell: 'lstm' | 'gru';
  readonly time: number;
  readonly batch: number;
  readonly input: number;
  readonly units: number;
  /** Of `ragged`: steps of each row, not growing from row to row. */
  readonly lengths?: readonly number[];
}

/**
 * A whole training step: recurrent layers, a dense layer, softmax cross entropy, clipping by global norm, Adam.
 * Reads `symbols` (one-hot, a target every step) or, where that is 0, `input` features with one of `classes` as the
 * target of a row.
 */
export interface StepCase {
  readonly kind: 'step';
  readonly name: string;
  readonly cell: 'lstm' | 'gru';
  readonly layers: number;
  readonly units: number;
  readonly time: number;
  readonly batch: number;
  readonly symbols: number;
  readonly input: number;
  readonly classes: number;
}

export type Case = LayerCase | StepCase;

const layer = (cell: LayerCase['cell'], time: number, batch: number, input: number, units: number): LayerCase => ({
  kind: 'layer',
  name: `${cell} forward+backward ${time},${batch},${input},${units}`,
  cell,
  time,
  batch,
  input,
  units,
});

const written = (time: number, batch: number, input: number, units: number): LayerCase => ({
  ...layer('lstm', time, batch, input, units),
  kind: 'scan',
  name: `lstm by scan forward+backward ${time},${batch},${input},${units}`,
});

/** Rows of all steps, and rows of lengths that fall evenly from all steps to one batch-th of them. */
const rows = (kind: 'full' | 'ragged', ...sizes: readonly [number, number, number, number]): LayerCase => {
  const [time, batch] = sizes;
  return {
    ...layer('lstm', ...sizes),
    kind: 'ragged',
    name: `lstm forward+backward ${sizes.join(',')}, ${kind} rows`,
    lengths: Array.from({ length: batch }, (_, row) =>
      kind === 'full' ? time : time - Math.floor((row * time) / batch),
    ),
  };
};

const symbols = (cell: StepCase['cell'], layers: number, units: number, time: number, batch: number): StepCase => ({
  kind: 'step',
  name: `training step ${layers} x ${cell} ${units}, T ${time}, B ${batch}, 65 symbols`,
  cell,
  layers,
  units,
  time,
  batch,
  symbols: 65,
  input: 0,
  classes: 0,
});

const classes = (units: number, time: number, batch: number, input: number): StepCase => ({
  kind: 'step',
  name: `training step 1 x lstm ${units}, T ${time}, B ${batch}, ${input} ${input === 1 ? 'input' : 'inputs'}, 6 classes`,
  cell: 'lstm',
  layers: 1,
  units,
  time,
  batch,
  symbols: 0,
  input,
  classes: 6,
});

/** Shapes of layers are T,B,I,H: time, batch, input, units. */
export const cases: readonly Case[] = [
  layer('lstm', 64, 32, 128, 128),
  layer('lstm', 64, 32, 256, 256),
  layer('lstm', 64, 64, 512, 512),
  layer('lstm', 35, 20, 650, 650),
  layer('lstm', 200, 16, 64, 64),
  layer('lstm', 128, 1, 256, 256),
  layer('gru', 64, 32, 256, 256),
  layer('gru', 200, 16, 64, 64),
  written(64, 32, 128, 128),
  written(64, 32, 256, 256),
  written(200, 16, 64, 64),
  rows('full', 64, 32, 256, 256),
  rows('ragged', 64, 32, 256, 256),
  symbols('lstm', 2, 128, 50, 50),
  symbols('gru', 2, 128, 50, 50),
  symbols('lstm', 2, 512, 100, 64),
  classes(32, 32, 16, 8),
  classes(10, 60, 10, 1),
  symbols('lstm', 1, 128, 50, 1),
];

/** Gates of a cell: what the columns of its kernels are shared among. */
export const gates = { lstm: 4, gru: 3 } as const;

/**
 * Floating-point operations of a case's matrix products, a fused multiply-add counting two: what shares of the peak
 * are of. A one-hot input counts nothing (it is a gather of rows), and neither does the gradient for the inputs of a
 * model.
 */
export function flops(what: Case): number {
  const lengths = what.kind === 'ragged' ? what.lengths : undefined;
  const steps = lengths?.reduce((sum, length) => sum + length, 0) ?? what.time * what.batch;
  const columns = gates[what.cell] * what.units;
  if (what.kind !== 'step') return 3 * 2 * steps * columns * (what.input + what.units);
  const recurrent = 3 * 2 * steps * columns * what.units * what.layers;
  const first = what.symbols > 0 ? 0 : 2 * 2 * steps * columns * what.input;
  const between = 3 * 2 * steps * columns * what.units * (what.layers - 1);
  const dense =
    what.symbols > 0 ? 3 * 2 * steps * what.units * what.symbols : 3 * 2 * what.batch * what.units * what.classes;
  return recurrent + first + between + dense;
}
