/** One recurrent layer, forward and backward with all gradients, through `mneme/kernels`. */
import { gruBackward, gruForward, lstmBackward, lstmForward, tapeLength } from '../../kernels/index.js';
import { gates, type LayerCase } from './cases.js';
import type { TimedRun } from './timed-run.js';

export function layerRun(what: LayerCase, threads: number): TimedRun {
  const { cell, time, batch, input: inputs, units } = what;
  const extents = { time, batch, inputs, units };
  const columns = gates[cell] * units;
  const numbers = random();
  const filled = (length: number): Float32Array => Float32Array.from({ length }, numbers);
  const empty = (length: number): Float32Array => new Float32Array(length);
  const read = {
    ...extents,
    input: filled(time * batch * inputs),
    kernel: filled(inputs * columns),
    recurrentKernel: filled(units * columns),
    bias: filled(columns),
    output: empty(time * batch * units),
    tape: empty(tapeLength(cell, extents)),
  };
  const gradients = {
    dOutput: filled(time * batch * units),
    dInput: empty(time * batch * inputs),
    dKernel: empty(inputs * columns),
    dRecurrentKernel: empty(units * columns),
    dBias: empty(columns),
  };
  const gru = { resetAfter: true, recurrentBias: filled(columns) };
  const gruGradients = { ...gradients, dRecurrentBias: empty(columns) };
  const once =
    cell === 'lstm'
      ? () => {
          lstmForward(read, { threads });
          lstmBackward({ ...read, ...gradients }, { threads });
        }
      : () => {
          gruForward({ ...read, ...gru }, { threads });
          gruBackward({ ...read, ...gru, ...gruGradients }, { threads });
        };
  return {
    async time(runs) {
      const start = performance.now();
      for (let run = 0; run < runs; run++) once();
      return (performance.now() - start) / runs;
    },
    dispose: () => undefined,
  };
}

/** Numbers like those of trained weights: small, and none of them special. */
function random(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 32 - 0.5) / 4;
  };
}
