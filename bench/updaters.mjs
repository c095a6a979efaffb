/**
 * Writes down the instruction that updates the parameters in a training step, for Adam as it is built in and for the same
 * written by a user (docs/extending.md), and lets the native benchmark run it beside a fused loop written by hand:
 *
 *   npm run bench:updaters [-- --threads N] [-- --rounds N]
 *
 * `guarded` computes twice where it does not keep results (no proof that they are finite), `proven` once, as training does.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = (file) => new URL(`../dist/${file}`, import.meta.url).href;
const { layers, lerp, losses, tensor, updater, updaters } = await import(dist('index.js'));
const { createNetwork } = await import(dist('network/network.js'));
const { batchShape } = await import(dist('training/batch-shape.js'));
const { trainingRule } = await import(dist('training/rule.js'));
const { trainStep } = await import(dist('training/train-step.js'));

const ownAdam = updater('ownAdam', {
  options: { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  states: { mean: 0, square: 0 },
  scalars: ({ learningRate, beta1, beta2, epsilon }, iteration) => {
    const correction = Math.sqrt(1 - beta2 ** iteration);
    return { rate: (learningRate * correction) / (1 - beta1 ** iteration), offset: epsilon * correction };
  },
  step: ({ gradient, mean, square, rate, offset }, { beta1, beta2 }) => {
    const nextMean = lerp(mean, gradient, beta1);
    const nextSquare = lerp(square, gradient.square(), beta2);
    return { mean: nextMean, square: nextSquare, change: nextMean.mul(rate).div(nextSquare.sqrt().add(offset)) };
  },
});

const loss = losses.meanSquaredError();
const lines = [];
for (const [features, units] of [
  [99, 1000],
  [9999, 1000],
]) {
  const network = createNetwork([layers.dense({ units })], { input: { features, sequence: false } });
  const batch = {
    inputs: tensor(new Float32Array(features), [1, features]),
    targets: tensor(new Float32Array(units), [1, units]),
    continues: false,
  };
  const shape = { ...batchShape(network, loss, batch), initialStates: 'zero' };
  for (const [name, rule] of Object.entries({ adam: updaters.adam(), 'own adam': ownAdam() })) {
    const program = trainStep(network, trainingRule(network, { loss, updater: rule, clip: { globalNorm: 1 } }), shape);
    const scalars = rule.scalars({ iteration: 1000, epoch: 0, fraction: 0, losses: [] }, 1);
    lines.push(...describe(`${name} ${network.parameterCount}`, program, scalars));
  }
}

const folder = mkdtempSync(join(tmpdir(), 'mneme-bench-'));
try {
  writeFileSync(join(folder, 'updates'), lines.join('\n'));
  const bench = fileURLToPath(new URL('../build-native/mneme_bench', import.meta.url));
  const options = process.argv.slice(2);
  for (const threads of options.includes('--threads')
    ? [[]]
    : [
        ['--threads', '1'],
        ['--threads', '2'],
      ]) {
    execFileSync(bench, ['--updates', join(folder, 'updates'), ...threads, ...options], { stdio: 'inherit' });
  }
} finally {
  rmSync(folder, { recursive: true });
}

/** A line for the name; one an operand: `number VALUE` or the name of an array; the words. */
function describe(name, program, scalars) {
  const update = program.instructions.find(({ attributes }) => attributes.guard);
  const known = { ...scalars, trusted: 1, loss: 1, gradientNorm: 2, completed: 1000, sequence: 1000 };
  const [rate, offset] = ['.rate', '.offset'].map(
    (end) => scalars[Object.keys(scalars).find((key) => key.endsWith(end))],
  );
  // Bounds of what the benchmark fills its arrays with.
  const extremes = [-1, 1, -1, 1, 0, 1];
  const numberOf = (label) => (label.startsWith('extremes.') ? extremes[label.slice(9)] : known[label]);
  const { arena, offset: at } = program.buffers[update.inputs[0]];
  const count = program.buffers[update.inputs[0]].shape[0];
  const arrayOf = (buffer) =>
    buffer.arena === 'parameters'
      ? 'parameters'
      : buffer.arena === 'updater'
        ? `state${buffer.offset / count}`
        : 'gradient';
  if (arena !== 'parameters' || at !== 0) throw new Error('the first operand is not the parameters');
  const inputs = update.inputs.map((index) => {
    const buffer = program.buffers[index];
    if (buffer.shape[0] === count) return arrayOf(buffer);
    const number = numberOf(program.names[index]);
    if (number === undefined) throw new Error(`no number for ${program.names[index]}`);
    return `number ${number}`;
  });
  return [
    `update ${name}`,
    `${count} ${inputs.length}`,
    ...inputs,
    `${rate} ${offset}`,
    update.words.length,
    update.words.join(' '),
  ];
}
