/** A run of `mneme train`, begun or gone on with: a text in, a model out, checkpoints on the way. */
import { MnemeError } from '../errors.js';
import {
  type CheckpointOptions,
  createTrainer,
  type Listener,
  losses,
  type Model,
  openText,
  type Schedule,
  schedules,
  updaters,
} from '../index.js';
import { exitCodes } from './failure.js';
import { languageModel } from './language-model.js';
import { partBatches } from './part-batches.js';
import { checkpointsOf, extrasOf } from './resumption.js';
import type { TextSource } from './text-source.js';
import type { RunOptions } from './train-options.js';
import type { TrainingReport } from './training-report.js';

export interface TrainingRun {
  readonly options: RunOptions;
  readonly threads?: number | undefined;
  readonly text: TextSource;
  /** Of the model. */
  readonly directory: string;
  readonly signal: AbortSignal;
  /** Whether it goes on, and from which checkpoint; or what is there is removed. */
  readonly beginning: Pick<CheckpointOptions, 'resume' | 'overwrite'>;
}

/** @throws {MnemeError} as `openText`, `fit` and `save` do */
export async function runTraining(run: TrainingRun, report: TrainingReport): Promise<void> {
  const { options, text: source, directory, signal, threads, beginning } = run;
  const { validation, test, batch, steps, epochs, seconds } = options;
  const text = await openText(source.path, { validation, test, signal });
  const model = languageModel(text.vocabulary, { ...options, ...(threads === undefined ? {} : { threads }) });
  const trainer = createTrainer(model, {
    loss: losses.softmaxCrossEntropy(),
    updater: updaters[options.updater]({ learningRate: options.learningRate }),
    schedule: scheduleOf(options),
    ...(options.clipNorm > 0 ? { clip: { globalNorm: options.clipNorm } } : {}),
  });
  let saved: string | undefined;
  const watch: Listener = {
    onCheckpoint({ path }) {
      saved = path ?? saved;
    },
  };
  const history = await trainer.fit(text.batches({ batch, steps }), {
    epochs,
    seconds,
    validation: partBatches(text.validation),
    checkpoints: {
      directory: checkpointsOf(directory),
      steps: options.checkpointSteps,
      minutes: options.checkpointMinutes,
      keep: options.checkpointKeep,
      extras: extrasOf(options, source),
      ...beginning,
    },
    signal,
    listeners: [report.listenerFor(model, text), watch],
  });
  await save(model, directory, saved);
  report.end(directory, history);
  if (history.stopped === 'aborted') process.exitCode = exitCodes.interrupted;
}

/** What was learned is not lost where the model cannot be saved: the last checkpoint has it. */
async function save(model: Model, directory: string, checkpoint: string | undefined): Promise<void> {
  try {
    await model.save(directory);
  } catch (error) {
    if (!(error instanceof MnemeError) || checkpoint === undefined) throw error;
    throw new MnemeError(
      error.code,
      `${error.message} What was learned is in ${checkpoint}: when that is mended, 'mneme train --resume ${directory}' saves the model.`,
      { cause: error },
    );
  }
}

function scheduleOf({ schedule }: RunOptions): Schedule {
  return schedule === 'constant'
    ? schedules.constant()
    : schedules.warmUp({ steps: 100, schedule: schedules.cosine() });
}
