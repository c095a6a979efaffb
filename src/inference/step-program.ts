/** The program that runs a network forward: outputs in the users' layout, states kept or started from zero. */

import { compile } from '../compute/compiler.js';
import type { LoadedProgram } from '../compute/engine/engine.js';
import type { NetworkContract } from '../network/contract.js';
import { swapLeading } from '../network/trace.js';

export interface StepShape {
  readonly batch: number;
  /** Steps; undefined for a network whose input is no sequence. */
  readonly time: number | undefined;
  /** Whether rows have lengths: port `lengths`, where the program depends on them. Default false. */
  readonly lengths?: boolean;
}

/**
 * Port `input` as the network takes it, port `output` as `[batch, time, features]`, or `[batch, features]` where the
 * network's output is no sequence.
 *
 * @param states `carried`: read from the state arena and written back; `zero`: each run stands for itself
 */
export function stepProgram(network: NetworkContract, shape: StepShape, states: 'carried' | 'zero'): LoadedProgram {
  return network.program(
    `forward ${states} ${shape.batch} ${shape.time}${shape.lengths ? ' with lengths' : ''}`,
    () => {
      const initialStates = states === 'carried' ? 'stored' : 'zero';
      const trace = network.trace({ ...shape, training: false, initialStates });
      const output = network.outputSignal.sequence ? swapLeading(trace.output) : trace.output;
      const assignments =
        states === 'carried' ? trace.states.map((target, index) => ({ target, value: trace.nextStates[index]! })) : [];
      return compile({ name: 'forward', outputs: { output }, assignments });
    },
  );
}
