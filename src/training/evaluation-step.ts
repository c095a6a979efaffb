/** The program that computes the loss of a batch and carries the states on. */
import { compile } from '../compute/compiler.js';
import type { Program } from '../compute/program.js';
import type { Loss } from '../network/losses/loss.js';
import type { NetworkContract } from '../network/network.js';
import type { BatchShape } from './batch-shape.js';
import { lossOf } from './train-step.js';

/** Ports: `input`, `targets`, `mask` and `lengths` where there are such. Output: `loss`. */
export function evaluationStep(network: NetworkContract, loss: Loss, shape: BatchShape): Program {
  const { batch, time, lengths, inputMask, reset, initialStates } = shape;
  const trace = network.trace({ batch, time, lengths, inputMask, reset, training: false, initialStates });
  return compile({
    name: `evaluation step  batch ${batch}${time === undefined ? '' : `, time ${time}`}`,
    outputs: { loss: lossOf(loss, trace.output, shape) },
    assignments: trace.states.map((target, index) => ({ target, value: trace.nextStates[index]! })),
  });
}
