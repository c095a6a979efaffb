/** An LSTM over rows of unequal lengths, forward and backward with all gradients. */
import { input } from '../../compute/graph.js';
import { recurrent } from '../../compute/operations/index.js';
import { activations } from '../../index.js';
import type { LayerCase } from './cases.js';
import { lstmRun } from './lstm-run.js';
import type { TimedRun } from './timed-run.js';

export function raggedRun(what: LayerCase, threads: number): TimedRun {
  const lengths = input('lengths', [what.batch], 'i32');
  return lstmRun(what, threads, {
    name: 'rows of unequal lengths',
    output: ({ x, ...weights }) =>
      recurrent({
        ...{ cell: 'lstm', input: x, ...weights, training: true },
        ...{ gateActivation: activations.sigmoid, activation: activations.tanh, lengths },
      }).output,
    given: { lengths: Int32Array.from(what.lengths!) },
  });
}
