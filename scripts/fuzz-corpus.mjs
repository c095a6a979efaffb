// Writes what the fuzzers begin with, to be run again after a new kernel or a change of the layout of programs or files:
// npm run fuzz:corpus
//
// - native/fuzz/corpus: the programs of small models while they train, predict and write text, as the compiler makes them,
//   and one program for each operation that models do not use
// - test/fuzz/corpus: safetensors files, models and checkpoints
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { compile } from '../dist/compute/compiler.js';
import { encodeProgram } from '../dist/compute/engine/encoding.js';
import { gradients } from '../dist/compute/gradients.js';
import { input, stored } from '../dist/compute/graph.js';
import * as operations from '../dist/compute/operations/index.js';
import { scan } from '../dist/compute/scan.js';
import {
  arrays,
  byteVocabulary,
  cell,
  createReferenceEngine,
  createTrainer,
  layers,
  losses,
  one,
  sequential,
  sigmoid,
  split,
  tanh,
  tensor,
  textFromString,
  updaters,
  writeSafetensors,
} from '../dist/index.js';

const folder = fileURLToPath(new URL('../native/fuzz/corpus/', import.meta.url));
const written = new Set();

function write(program) {
  const words = encodeProgram(program);
  const name = program.name.replace(/[^a-z0-9]+/gi, '-').toLowerCase();
  let file = `${name}.words`;
  for (let count = 2; written.has(file); count++) file = `${name}-${count}.words`;
  written.add(file);
  writeFileSync(folder + file, words);
}

/** An engine that keeps what it is given to load. */
const recording = () => {
  const engine = createReferenceEngine({ precision: 'f32' });
  return {
    ...engine,
    load(program) {
      write({ ...program, name: `${label} ${program.name}` });
      return engine.load(program);
    },
  };
};
let label = '';

mkdirSync(folder, { recursive: true });
for (const file of readdirSync(folder)) rmSync(folder + file);

const text = textFromString('the whale and the sea and the ship and the sun '.repeat(8), { validation: 0.2 });
const size = text.vocabulary.size;
const light = cell('light', {
  parameters: ({ units }, features) => ({ w: [features, 2 * units], u: [units, 2 * units], b: [2 * units] }),
  states: ({ units }) => ({ h: [units] }),
  step: ({ w, u, b }, { h }, x) => {
    const [update, candidate] = split(x.matmul(w).add(h.matmul(u)).add(b), 2);
    const z = sigmoid(update);
    const next = z.mul(h).add(one.sub(z).mul(tanh(candidate)));
    return { output: next, h: next };
  },
});
const models = {
  lstm: [
    layers.embedding({ vocabulary: size, units: 3 }),
    layers.lstm({ units: 5, dropout: 0.25 }),
    layers.dense({ units: size }),
  ],
  gru: [
    layers.oneHot({ vocabulary: size }),
    layers.gru({ units: 4 }),
    layers.dense({ units: size, activation: 'softmax' }),
  ],
  rnn: [
    layers.embedding({ vocabulary: size, units: 20 }),
    layers.simpleRnn({ units: 17, activation: 'softsign' }),
    layers.dense({ units: size }),
  ],
  scan: [
    layers.embedding({ vocabulary: size, units: 3 }),
    layers.scan({ cell: light, units: 4 }),
    layers.dense({ units: size }),
  ],
};
const rules = [
  { updater: updaters.adam(), clip: { globalNorm: 5 } },
  { updater: updaters.rmsprop(), clip: { element: 1 } },
  { updater: updaters.nesterovs() },
  { updater: updaters.sgd() },
];
for (const [index, [name, parts]] of Object.entries(models).entries()) {
  label = name;
  const model = sequential(parts, { engine: recording(), seed: 1 });
  const output = name === 'gru' ? undefined : losses.softmaxCrossEntropy();
  if (output) {
    const trainer = createTrainer(model, { loss: output, ...rules[index] });
    await trainer.fit(text.batches({ batch: 2, steps: 4 }), {
      epochs: 1,
      validation: text.validation.batches({ batch: 2, steps: 3 }),
    });
    model.vocabulary = text.vocabulary;
    for await (const _ of model.session().generate('the ', { length: 3 })) break;
  }
  await model.predict(tensor(new Int32Array(6), [2, 3]));
  model.dispose();
}

label = 'rows';
const rows = sequential(
  [layers.gru({ units: 3, resetAfter: false }), layers.lastStep(), layers.dense({ units: 2, activation: 'tanh' })],
  {
    engine: recording(),
    input: { features: 2 },
  },
);
const numbers = (...shape) => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(0.5), shape);
await createTrainer(rows, { loss: losses.meanSquaredError(), updater: updaters.adagrad() }).fit(
  arrays({ inputs: numbers(4, 3, 2), targets: numbers(4, 2), batch: 2 }),
);

// One of each operation by itself: the compiler leaves out of models what it can do without.
const x = (name, ...shape) => input(name, shape, 'f32');
const ids = (name, rows, limit) => input(name, rows, 'i32', { limit });
const add = (a, b) => operations.map((p, q) => p.add(q), a, b);
const single = {
  // A loop in a loop, the outer one with matrices as parts.
  scan: () => {
    const inner = (rows, state) =>
      scan({
        sequences: [rows],
        initial: [state],
        step: ([row], [sum]) => ({ outputs: [], states: [add(operations.matmul(row, x('w', 3, 3)), sum)] }),
      }).states[0];
    return scan({
      sequences: [x('x', 2, 4, 2, 3)],
      initial: [x('h', 2, 3)],
      step: ([part], [state]) => {
        const next = inner(part, state);
        return { outputs: [next], states: [next] };
      },
    }).outputs[0];
  },
  transpose: () => operations.transpose(x('x', 3, 4, 2)),
  concatenate: () => operations.concatenate([x('a', 2, 3), x('b', 2, 5)], 1),
  slice: () => operations.slice(x('x', 3, 8), { axis: 1, start: 2, length: 5 }),
  pad: () => operations.pad(x('x', 3, 4), { axis: 1, start: 2, extent: 9 }),
  softmax: () => operations.softmax(x('x', 3, 7)),
  oneHot: () => operations.oneHot(ids('x', [5], 6), 6),
  embedding: () => operations.embedding(ids('x', [5], 6), stored('parameters', 0, [6, 3], 'f32', 'table')),
  reduce: () => operations.reduceMaximum([x('x', 5, 6)], { axis: 'rows' }),
  finite: () => operations.finite([x('a', 3), x('b', 4, 2)]),
  reverseSequence: () => operations.reverseSequence(x('x', 4, 3, 2), ids('lengths', [3], 5)),
  sortedRows: () => {
    const { order } = operations.sortRows(ids('lengths', [5], 7), 6);
    return operations.permuteRows(x('x', 4, 5, 3), order, { axis: 1 });
  },
  normalizedLstm: () => normalized('lstm'),
  normalizedGru: () => normalized('gru'),
  elementwiseRecurrence: () => {
    const sequences = x('x', 4, 3, 10);
    const { states } = operations.elementwiseRecurrence({
      input: sequences,
      units: 5,
      states: 2,
      perUnit: [x('u', 5)],
      initialStates: [x('c', 3, 5), x('h', 3, 5)],
      keep: x('keep', 4, 3),
      lengths: ids('lengths', [3], 5),
      step: ({ sequences: [a, b], perUnit: [u], states: [c, h] }) => [a.add(u.mul(h)).tanh(), b.mul(c)],
    });
    return gradients(operations.reduceSum([states[1]], { axis: 'all' }), [sequences])[0];
  },
  minGru: () => {
    const sequences = x('x', 4, 2, 10);
    const { states } = operations.elementwiseRecurrence({
      input: sequences,
      units: 5,
      cell: 1,
      step: ({ sequences: [k, n], states: [h] }) =>
        h.add(k.sigmoid().mul(n.less(0).select(n.sigmoid(), n.add(0.5)).sub(h))),
    });
    return gradients(operations.reduceSum([states[0]], { axis: 'all' }), [sequences])[0];
  },
};

/** The gradient of a cell with layer normalisation by its recurrent kernel. */
function normalized(cell) {
  const units = 5;
  const width = { lstm: 4, gru: 3 }[cell] * units;
  const recurrentKernel = x('u', units, width);
  const lstm = cell === 'lstm' ? { cellGain: x('cellGain', units), cellBias: x('cellBias', units) } : {};
  const { output } = operations.normalizedRecurrent({
    cell,
    input: x('x', 3, 2, width),
    recurrentKernel,
    inputGain: x('inputGain', width),
    recurrentGain: x('recurrentGain', width),
    bias: x('bias', width),
    ...(cell === 'gru' ? { recurrentBias: x('recurrentBias', width) } : {}),
    ...lstm,
    epsilon: 1e-5,
    gateActivation: { kind: 1, expression: (value) => value.sigmoid() },
    activation: { kind: 2, expression: (value) => value.tanh() },
    training: true,
  });
  return gradients(operations.reduceSum([output], { axis: 'all' }), [recurrentKernel])[0];
}

for (const [name, make] of Object.entries(single))
  write(compile({ name: `operation ${name}`, outputs: { y: make() }, assignments: [] }));
console.log(`${written.size} programs in ${folder}`);

// Files: every element type in one, the names that make trouble in another.
const files = fileURLToPath(new URL('../test/fuzz/corpus/', import.meta.url));
rmSync(files, { recursive: true, force: true });
for (const each of ['safetensors', 'models', 'checkpoints']) mkdirSync(`${files}${each}`, { recursive: true });
const bits = {
  F64: 64,
  I64: 64,
  U64: 64,
  F32: 32,
  I32: 32,
  U32: 32,
  F16: 16,
  BF16: 16,
  I16: 16,
  U16: 16,
  I8: 8,
  U8: 8,
  BOOL: 8,
  F8_E4M3: 8,
  F4: 4,
};
const header = {};
let end = 0;
for (const [dtype, width] of Object.entries(bits)) {
  header[`some/${dtype}`] = { dtype, shape: [2, 4], data_offsets: [end, end + width] };
  end += width;
}
const json = Buffer.from(JSON.stringify(header));
const length = Buffer.alloc(8);
length.writeBigUInt64LE(BigInt(json.length));
writeFileSync(
  `${files}safetensors/types.safetensors`,
  Buffer.concat([length, json, Buffer.from(Array.from({ length: end }, (_, i) => i % 7))]),
);
const awkward = new Map([
  ['__proto__', numbers(3)],
  ['constructor', numbers(1, 2)],
  ['', numbers(2)],
  ['é', numbers(1)],
]);
await writeSafetensors(`${files}safetensors/names.safetensors`, awkward, { format: 'pt', toString: 'x' });
await writeSafetensors(`${files}safetensors/empty.safetensors`, {});

const engine = createReferenceEngine({ precision: 'f32' });
const reader = sequential(
  [
    layers.embedding({ vocabulary: size, units: 2 }),
    layers.lstm({ units: 3, dropout: 0.1 }),
    layers.dense({ units: size }),
  ],
  { engine, seed: 3, vocabulary: text.vocabulary },
);
await reader.save(`${files}models/text`);
const bytes = sequential(
  [
    layers.oneHot({ vocabulary: 256 }),
    layers.gru({ units: 1, activation: 'softsign' }),
    layers.lastStep(),
    layers.dense({ units: 2, activation: 'softmax' }),
  ],
  { engine, vocabulary: byteVocabulary() },
);
await bytes.save(`${files}models/bytes`);
const vectors = sequential([layers.simpleRnn({ units: 2 }), layers.dense({ units: 1 })], {
  engine,
  input: { features: 2 },
});
await vectors.save(`${files}models/vectors`);
const run = mkdtempSync(join(tmpdir(), 'mneme-corpus-'));
await createTrainer(reader, { loss: losses.softmaxCrossEntropy(), updater: updaters.adam() }).fit(
  text.batches({ batch: 2, steps: 8 }),
  {
    epochs: 1,
    validation: text.validation.batches({ batch: 2, steps: 8 }),
    checkpoints: { directory: run, steps: 5, keep: 2, extras: { text: 'sea.txt' } },
  },
);
for (const name of readdirSync(run))
  if (name.startsWith('step-')) cpSync(join(run, name), `${files}checkpoints/${name}`, { recursive: true });
rmSync(run, { recursive: true });
console.log(`and ${readdirSync(files, { recursive: true }).length} files and folders in ${files}`);
