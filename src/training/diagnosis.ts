/** Why a step was not finite: what was first NaN or Infinity on the way from the data to the new parameters. */
import { compile } from '../compute/compiler.js';
import type { Submission } from '../compute/engine/engine.js';
import type { Value } from '../compute/graph.js';
import { finite } from '../compute/operations/index.js';
import type { Tensor } from '../compute/tensor.js';
import type { Batch } from '../data/batch.js';
import { MnemeError } from '../errors.js';
import type { NetworkContract } from '../network/network.js';
import type { BatchShape } from './batch-shape.js';
import { inputsFor } from './engine-numbers.js';
import type { TrainingRule } from './rule.js';
import { differentiated } from './train-step.js';

/** A step that had no effect: its batch, and the memories as they were before it. */
export interface Suspect {
  readonly batch: Batch;
  readonly shape: BatchShape;
  /** From 1. */
  readonly step: number;
  readonly memories: Submission['memories'];
  /** What was given to it, by port. */
  readonly ports: Parameters<typeof inputsFor>[2];
}

/** The error that names the cause. */
export async function diagnose(
  network: NetworkContract,
  rule: TrainingRule,
  { batch, shape, step, memories, ports }: Suspect,
  name: string,
): Promise<MnemeError> {
  const tell = (cause: string, remedy: string) =>
    new MnemeError(
      'not-finite',
      `Step ${step} was refused: ${cause}. The model is as it was after step ${step - 1}. ${remedy}`,
    );
  const data = strangeData(batch);
  if (data) return tell(data, 'Remove or replace such values in the data.');

  const program = network.program(`${name}/diagnosis/${JSON.stringify(shape)}`, () =>
    compile({
      name: 'diagnosis of a step',
      outputs: Object.fromEntries(
        [...suspects(network, rule, shape)].map(([label, value]) => [label, finite([value])]),
      ),
      assignments: [],
    }),
  );
  const outputs = await network.stream.submit({
    program,
    memories,
    inputs: inputsFor(network.engine, program, ports),
  });
  const first = program.program.outputs.map((port) => port.name).find((label) => outputs[label]!.data[0] === 0);
  if (first?.startsWith('parameter')) return tell(`${first} holds NaN or Infinity`, 'Set it anew.');
  const remedy = 'Lower the learning rate, or clip the gradient: clip: { globalNorm: 1 }.';
  if (first) return tell(`${first} is the first value on the way that is not finite`, remedy);
  return tell('the gradient is finite, but the parameters or the updater would have become NaN or Infinity', remedy);
}

/** Where NaN or Infinity may first appear, in the order of the computation. */
function* suspects(
  network: NetworkContract,
  rule: TrainingRule,
  shape: BatchShape,
): Generator<readonly [label: string, value: Value]> {
  const { trace, loss, gradients } = differentiated(network, rule, shape);
  const names = network.parameterLayout.map((place) => place.name);
  for (const [index, value] of trace.parameters.entries()) yield [`parameter ${names[index]}`, value];
  if (shape.initialStates === 'stored') {
    const states = network.stateLayout(shape.batch);
    for (const [index, value] of trace.states.entries()) yield [`the carried state ${states[index]!.name}`, value];
  }
  for (const { layer, value } of trace.activations) {
    if (value.dtype === 'f32') yield [`the output of layer ${layer}`, value];
  }
  yield [`the loss, ${rule.loss.name},`, loss];
  // Backwards: the gradient of the last layer is computed first.
  for (let index = gradients.length - 1; index >= 0; index--) {
    yield [`the gradient of ${rule.trained[index]!.name}`, gradients[index]!];
  }
}

/** The first number of a batch that is not finite, in words; of the targets, only those that its mask lets count. */
export const strangeData = ({ inputs, targets, mask }: Batch): string | undefined =>
  strangeTensor('inputs', inputs) ?? strangeTensor('targets', targets, mask);

function strangeTensor(name: string, { shape, data }: Tensor, mask?: Tensor): string | undefined {
  const each = mask ? data.length / mask.data.length : 1;
  const counts = (index: number) => mask?.data[Math.floor(index / each)] !== 0;
  const index = data.findIndex((value, place) => !Number.isFinite(value) && counts(place));
  if (index < 0) return undefined;
  const position: number[] = [];
  let rest = index;
  for (const extent of shape.toReversed()) {
    position.unshift(rest % extent);
    rest = Math.floor(rest / extent);
  }
  return `the data holds ${data[index]}: ${name}[${position.join(', ')}]`;
}
