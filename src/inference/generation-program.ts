/**
 * The program that writes one symbol: it feeds the id carried in the state arena to the network, draws the next from
 * the scores, and carries that. Repeated, it writes many symbols in one call to the engine.
 */
import { compile } from '../compute/compiler.js';
import type { LoadedProgram } from '../compute/engine/engine.js';
import { input, reshape, stored } from '../compute/graph.js';
import { increment, sample } from '../compute/operations/index.js';
import type { NetworkContract } from '../network/contract.js';
import type { RecurrentState } from './recurrent-state.js';

/** Ports: `settings` (temperature, topP, topK), `seed` (low, high); output `id`. */
export function generationProgram(network: NetworkContract, state: RecurrentState): LoadedProgram {
  return network.program('generate', () => {
    const id = stored('state', state.idOffset, [1], 'i32', 'id');
    const counter = stored('state', state.counterOffset, [1], 'i32', 'counter');
    const trace = network.trace({ batch: 1, time: 1, training: false, input: reshape(id, [1, 1]) });
    const scores = reshape(trace.output, [1, trace.output.shape.at(-1)!]);
    const next = sample(scores, input('settings', [3], 'f32'), input('seed', [2], 'i32'), counter);
    return compile({
      name: 'generate',
      outputs: { id: next },
      assignments: [
        ...trace.states.map((target, index) => ({ target, value: trace.nextStates[index]! })),
        { target: id, value: next },
        { target: counter, value: increment(counter, 1) },
      ],
    });
  });
}
