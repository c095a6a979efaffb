/** A run of `mneme train` that goes on: its options and its text, from its checkpoint. */
import path from 'node:path';
import * as v from 'valibot';
import { MnemeError } from '../errors.js';
import { checkpointsIn } from '../formats/checkpoint.js';
import { chooseCheckpoint } from '../training/checkpoint-choice.js';
import type { TextSource } from './text-source.js';
import { optionsOf, type RunOptions, wordsOf } from './train-options.js';

/** Of the directory that `--out` names. */
export const checkpointsOf = (directory: string): string => path.join(directory, 'checkpoints');

const schema = v.strictObject({
  command: v.array(v.string()),
  text: v.strictObject({ path: v.string(), bytes: v.number(), sha256: v.string() }),
});

/** What a checkpoint keeps of a command. */
export const extrasOf = (options: RunOptions, text: TextSource): v.InferOutput<typeof schema> => ({
  command: wordsOf(options),
  text: { ...text },
});

/**
 * @throws {MnemeError} `file-missing` where there is no checkpoint, `file-invalid` for a damaged one, with the remedy,
 *   and for one that `mneme train` did not write
 */
export async function readRun(
  directory: string,
  which: 'latest' | 'previous',
): Promise<{ readonly options: RunOptions; readonly text: TextSource }> {
  const checkpoint = await chooseCheckpoint(checkpointsOf(directory), which, '--previous');
  if (!checkpoint) {
    throw new MnemeError(
      'file-missing',
      `${directory} holds no checkpoint to go on from. --resume takes the directory that --out of an earlier run named.`,
    );
  }
  try {
    const { command, text } = v.parse(schema, checkpoint.description.extras);
    return { options: optionsOf(command), text };
  } catch (cause) {
    throw new MnemeError(
      'file-invalid',
      `${checkpoint.path} holds no run of 'mneme train' that this mneme can read; mneme ${checkpoint.description.mneme} wrote it.`,
      { cause },
    );
  }
}

/** @throws {MnemeError} `file-write` where a run is that was not finished, which nobody asked to remove */
export async function requireNothingUnfinished(directory: string): Promise<void> {
  const newest = (await checkpointsIn(checkpointsOf(directory)).catch(() => [])).at(-1);
  if (!newest || newest.step === 0 || newest.finished) return;
  throw new MnemeError(
    'file-write',
    `${directory} holds a run that was not finished, up to step ${newest.step}: 'mneme train --resume ${directory}' ` +
      'goes on with it, --overwrite removes it and begins anew, --out chooses another directory.',
  );
}
