/** All that the next step starts from: captured while steps are under way, and put back. */
import type { NumericArray } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import { flatParameters } from '../formats/model-file.js';
import type { NetworkContract } from '../network/network.js';
import type { BestWeights } from './best-weights.js';
import type { Stepper } from './stepper.js';

export interface TrainingSubject {
  readonly network: NetworkContract;
  readonly stepper: Stepper;
  readonly best: BestWeights;
}

export interface CapturedState {
  /** Of the trainer. */
  readonly iteration: number;
  /** Of the batch whose final states are among the arrays. */
  readonly rows: number | undefined;
  /** `parameters`, `updater` and `draws`; `states` and `best` where there are such. */
  readonly arrays: Promise<ReadonlyMap<string, NumericArray>>;
}

/**
 * Queues reads of everything right behind the steps that are queued so far. Should one of these steps fail, what is
 * captured is of no use.
 */
export function captureState({ network, stepper, best }: TrainingSubject): CapturedState {
  const { memory, stream, parameterCount } = network;
  const { iteration, rows, reads } = stepper.capture();
  const all = new Map([...reads, ['parameters', stream.read(memory, 0, parameterCount, 'f32')] as const]);
  const kept = best.read();
  if (kept) all.set('best', kept);
  const arrays = Promise.all([...all].map(async ([name, read]) => [name, await read] as const)).then(
    (entries) => new Map(entries),
  );
  // Whoever waits for it sees its failure; until then it is not an unhandled one.
  arrays.catch(() => undefined);
  return { iteration, rows, arrays };
}

/** Puts back what was captured. @throws {MnemeError} `file-invalid` if it does not fit */
export async function restoreState(subject: TrainingSubject, checkpoint: Checkpoint): Promise<void> {
  const { network, stepper, best } = subject;
  const { path, description, model, parameters, tensors } = checkpoint;
  const array = (name: string, length: number): NumericArray => {
    const values = tensors.get(name);
    if (values?.length === length) return values;
    throw new MnemeError(
      'file-invalid',
      `${path}/state.safetensors is not valid: '${name}' has ${values?.length ?? 'no'} elements, ${length} were expected.`,
    );
  };
  await network.writeParameters(flatParameters(network, parameters, `${path}/${model.parameters.file}`));
  if (network.engine.precision === 'f64') {
    await network.stream.write(network.memory, 0, array('parameters', network.parameterCount));
  }
  await stepper.restore({ iteration: description.iteration, rows: description.rows, array });
  if (description.progress.best && tensors.has('best')) await best.write(array('best', network.parameterCount));
}
