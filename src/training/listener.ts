/** What happens during `fit`, for whoever wants to watch. */

/** A pass over the data, or the part of one at which training ended. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Whether the pass was finished. */
  readonly complete: boolean;
  /** Steps of this fit so far. */
  readonly step: number;
  /** Mean of the steps' losses in this pass, weighted by their targets. */
  readonly trainLoss: number;
  /** After this pass, where there is validation data. */
  readonly validationLoss: number | undefined;
  /** Targets a second while training in this pass; validation does not count. */
  readonly tokensPerSecond: number;
  /** Since the start of the fit, with validation. */
  readonly seconds: number;
}

export interface StepRecord {
  /** Steps of this fit so far, from 1. */
  readonly step: number;
  /** From 1. */
  readonly epoch: number;
  /** Of this step's batch, before its update. */
  readonly loss: number;
  /** Of the whole gradient, before clipping. */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Whether the parameters were updated: with the trainer's `accumulate` above 1 every so many steps only. */
  readonly updated: boolean;
  /** Targets of this fit so far. */
  readonly tokens: number;
  /** Of the epochs or seconds asked for: from 0 to 1. */
  readonly fraction: number;
  /** Since the start of the fit. */
  readonly seconds: number;
}

export interface StartRecord {
  readonly parameters: number;
  /** Targets in one pass. */
  readonly tokens: number;
  readonly epochs: number | undefined;
  readonly seconds: number | undefined;
  /** The checkpoint that training goes on from; undefined where it begins. */
  readonly resumed: ResumeRecord | undefined;
}

/** Where a fit stands that goes on from a checkpoint. */
export interface ResumeRecord {
  /** The checkpoint's directory. */
  readonly checkpoint: string;
  /** Steps of this fit that are done. */
  readonly step: number;
  /** The pass that goes on, or the last one, from 1. */
  readonly epoch: number;
  /** Whether there was nothing left to do when the checkpoint was made. */
  readonly finished: boolean;
}

/** A checkpoint that was written, or could not be. */
export interface CheckpointRecord {
  /** Steps of this fit that it holds. */
  readonly step: number;
  /** Its directory; undefined where it could not be written. */
  readonly path: string | undefined;
  /** Why it could not be written. Training goes on, the checkpoints before it are as they were, and the next is tried. */
  readonly error: Error | undefined;
}

export interface History {
  readonly epochs: readonly EpochRecord[];
  /** Why training ended. */
  readonly stopped: 'epochs' | 'seconds' | 'aborted';
  /** Steps of this fit. */
  readonly steps: number;
  /** The pass with the lowest validation loss; its weights are in the network unless training was aborted. */
  readonly best: EpochRecord | undefined;
}

/**
 * Called in the order of events. `fit` waits for a promise that one of them returns: a listener may generate text
 * with the model, which runs on the network's own stream.
 */
export interface Listener {
  onStart?(record: StartRecord): unknown;
  onStep?(record: StepRecord): unknown;
  onEpoch?(record: EpochRecord): unknown;
  /** Where nobody listens for it, the process is warned of checkpoints that could not be written. */
  onCheckpoint?(record: CheckpointRecord): unknown;
  onEnd?(history: History): unknown;
}

/** Tells all listeners of an event, one after another. */
export async function notify<Event extends keyof Listener>(
  listeners: readonly Listener[],
  event: Event,
  record: Parameters<NonNullable<Listener[Event]>>[0],
): Promise<void> {
  for (const listener of listeners) {
    const answer = (listener[event] as ((record: unknown) => unknown) | undefined)?.call(listener, record);
    if (answer instanceof Promise) await answer;
  }
}

/** Tells of checkpoints; where no listener hears of one that could not be written, the process is warned. */
export async function tellCheckpoints(
  listeners: readonly Listener[],
  records: readonly CheckpointRecord[],
): Promise<void> {
  for (const record of records) {
    await notify(listeners, 'onCheckpoint', record);
    if (record.error && !listeners.some(({ onCheckpoint }) => onCheckpoint)) {
      process.emitWarning(
        `The checkpoint of step ${record.step} was not written. ${record.error.message}`,
        'MnemeWarning',
      );
    }
  }
}
