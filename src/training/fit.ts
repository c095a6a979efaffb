/** The options of a fit, and its frame: what is told and checked before it, and what is freed after it. */
import * as v from 'valibot';
import type { Batches } from '../data/batch.js';
import { finiteNumber, parseOptions, wholeNumber } from '../options.js';
import { checkpointsSchema } from './checkpoint-options.js';
import { type History, type Listener, notify } from './listener.js';
import { Run, type Training } from './run.js';
import { checkBatches } from './trainable.js';

const object = <Thing>(what: string) => v.custom<Thing>((value) => typeof value === 'object' && value !== null, what);
const schema = v.strictObject({
  epochs: v.optional(wholeNumber(1)),
  seconds: v.optional(finiteNumber({ above: 0 })),
  validation: v.optional(object<Batches>('batches')),
  keepBest: v.optional(v.boolean(), true),
  checkpoints: v.optional(checkpointsSchema),
  signal: v.optional(v.instance(AbortSignal)),
  listeners: v.optional(v.array(object<Listener>('a listener')), []),
  inFlight: v.optional(wholeNumber(1), 3),
  clock: v.optional(v.custom<() => number>((value) => typeof value === 'function', 'a function')),
});
export type FitOptions = v.InferInput<typeof schema>;

/** Runs epochs until one of the options ends them. */
export async function runFit(training: Training, batches: Batches, options: FitOptions): Promise<History> {
  const settings = parseOptions(schema, options, 'fit');
  const { seconds, listeners, validation, clock = () => performance.now() } = settings;
  const epochs = settings.epochs ?? (seconds === undefined ? 1 : undefined);
  if (validation) checkBatches(validation, 'fit: validation');
  const run = new Run(training, batches, { ...settings, epochs, clock });
  try {
    const resumed = await run.begin();
    const { parameterCount: parameters } = training.network;
    await notify(listeners, 'onStart', { parameters, tokens: batches.tokens, epochs, seconds, resumed });
    const history = await run.all();
    await notify(listeners, 'onEnd', history);
    return history;
  } finally {
    await run.end();
  }
}
