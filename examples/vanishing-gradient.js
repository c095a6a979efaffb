// How fast a gradient fades on its way back in time: what the last output of a cell that has learned nothing yet owes to
// what it read 1, 10, 100 steps before.
//
//   node examples/vanishing-gradient.js [--out vanishing-gradient.svg] [--steps 100]
//
// What counts is how much of its state a cell keeps. An LSTM's forget gate keeps 0.5 of it a step with a bias of 0, 0.73
// with 1 and 0.993 with 5; a GRU's update gate 0.5 at first. A simple RNN has its recurrent kernel, orthogonal at first,
// and loses what the slope of tanh takes away. Keeping a half may be less than that: it is the bias that makes an LSTM remember.
//
// Shown is the norm of the gradient of the last output, summed over the units with fixed signs, by the input at each step,
// over 32 rows of a noisy sine: a share of the largest norm.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { createNetwork, generators, layers } from 'mneme';
import { gruBackward, gruForward, lstmBackward, lstmForward, rnnBackward, rnnForward, tapeLength } from 'mneme/kernels';
import { logarithmicChart } from './vanishing-gradient/chart.js';

const { values: options } = parseArgs({
  options: {
    out: { type: 'string', default: 'vanishing-gradient.svg' },
    steps: { type: 'string', default: '100' },
  },
});

const steps = Number(options.steps);
if (!Number.isInteger(steps) || steps < 1) {
  console.error(`--steps must be a whole number of at least 1, got ${options.steps}.`);
  process.exit(1);
}
/** Steps read before those that are looked at: what is special about the first steps is over by then. */
const settling = 200;
const extents = { time: settling + steps + 1, batch: 32, inputs: 1, units: 64 };
const kernels = {
  lstm: { forward: lstmForward, backward: lstmBackward },
  gru: { forward: gruForward, backward: gruBackward },
  simple: { forward: rnnForward, backward: rnnBackward },
};
const { units } = extents;
const curves = await Promise.all([
  curve('simple RNN', 'simple', layers.simpleRnn({ units })),
  curve('LSTM, forget bias 0', 'lstm', layers.lstm({ units, forgetBias: 0 })),
  curve('LSTM, forget bias 1', 'lstm', layers.lstm({ units, forgetBias: 1 })),
  curve('LSTM, forget bias 5', 'lstm', layers.lstm({ units, forgetBias: 5 })),
  curve('GRU', 'gru', layers.gru({ units, resetAfter: false })),
]);

const distances = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].filter((distance) => distance <= steps);
console.log('gradient of the last output by the input so many steps before, relative to the largest\n');
console.log(['distance'.padEnd(20), ...distances.map((distance) => String(distance).padStart(8))].join(''));
for (const { name, norms } of curves) {
  const cells = distances.map((distance) => norms[distance].toExponential(1).padStart(8));
  console.log([name.padEnd(20), ...cells].join(''));
}
await writeFile(options.out, logarithmicChart(curves, { title: 'How far back a gradient reaches' }));
console.log(`\nThe picture is in ${options.out}.`);

/** Norms by distance, with the initial weights of a layer and the kernels that train it. */
async function curve(name, cell, layer) {
  const network = createNetwork([layer], { seed: 1, input: { features: extents.inputs } });
  const flat = await network.readParameters();
  const parameters = Object.fromEntries(
    network.parameterLayout.map((place) => [
      place.name.split('/')[1],
      flat.slice(place.offset, place.offset + place.length),
    ]),
  );
  network.dispose();

  const { time, batch } = extents;
  const wave = generators.noisySine({ examples: batch, time, noise: 1, seed: 1 }).inputs.data;
  const input = Float32Array.from({ length: time * batch }, (_, i) => wave[(i % batch) * time + Math.floor(i / batch)]);
  const given = { ...extents, input, ...parameters };
  const output = new Float32Array(time * batch * units);
  const tape = new Float32Array(tapeLength(cell, extents));
  kernels[cell].forward({ ...given, output, tape });

  // Only the last step's output counts, with signs that are the same for every cell.
  const dFinalHidden = Float32Array.from({ length: batch * units }, (_, i) => (i % 3 === 0 ? 1 : -1));
  const dInput = new Float32Array(time * batch);
  const filled = Object.fromEntries(
    Object.entries(parameters).map(([parameter, values]) => [
      `d${parameter[0].toUpperCase()}${parameter.slice(1)}`,
      new Float32Array(values.length),
    ]),
  );
  kernels[cell].backward({ ...given, output, tape, dFinalHidden, dInput, ...filled });

  const norms = Array.from({ length: steps + 1 }, (_, distance) =>
    Math.hypot(...dInput.subarray((time - 1 - distance) * batch, (time - distance) * batch)),
  );
  const largest = Math.max(...norms);
  return { name, norms: norms.map((norm) => norm / largest) };
}
