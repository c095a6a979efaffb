/** What `checkpoint.json` says: where training stands, and what must be the same when it goes on. */
import * as v from 'valibot';
import { printValue } from '../errors.js';
import { invalid, ownVersion, parseJson } from './model-description.js';

/** Raised when older versions of mneme could no longer go on from what is written. */
const formatVersion = 1;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** JSON has no infinity: a speed over no time at all is null. */
const speed = v.union([
  v.number(),
  v.pipe(
    v.null(),
    v.transform(() => Number.POSITIVE_INFINITY),
  ),
]);

const epochRecord = v.pipe(
  v.strictObject({
    epoch: count,
    complete: v.boolean(),
    step: count,
    trainLoss: v.number(),
    validationLoss: v.optional(v.number()),
    tokensPerSecond: speed,
    seconds: v.number(),
  }),
  v.transform((record) => ({ ...record, validationLoss: record.validationLoss })),
);

/** How far a fit has come. */
const progressSchema = v.strictObject({
  /** Of the fit. */
  step: count,
  tokens: count,
  /** The piece that comes next: passes and batches from 0, and chunks of a batch that truncation cuts. */
  epoch: count,
  batch: count,
  chunk: count,
  /** Milliseconds of training, and of the fit as a whole. */
  trained: v.number(),
  elapsed: v.number(),
  /** Sums over the pass under way, and where the fit was when it began. */
  pass: v.strictObject({ loss: v.number(), weight: v.number(), tokens: count, trained: v.number(), step: count }),
  /** Of all finished passes. */
  epochs: v.array(epochRecord),
  best: v.optional(epochRecord),
});
export type FitProgress = v.InferOutput<typeof progressSchema>;

const schema = v.strictObject({
  format: v.literal('mneme checkpoint'),
  version: v.literal(formatVersion),
  /** The version of mneme that wrote it. */
  mneme: v.string(),
  /** Whether the fit had come to its end. */
  finished: v.boolean(),
  progress: progressSchema,
  /** Of the trainer, over all its fits. */
  iteration: count,
  /** Of the batch whose final states are kept, where the next one may continue it. */
  rows: v.optional(v.pipe(count, v.minValue(1))),
  precision: v.picklist(['f32', 'f64']),
  /** What must be the same: plain data, compared as a whole. */
  agreement: v.record(v.string(), v.unknown()),
  /** The caller's. */
  extras: v.optional(v.unknown()),
});
export type CheckpointDescription = v.InferOutput<typeof schema>;

export function formatCheckpointDescription(
  description: Omit<CheckpointDescription, 'format' | 'version' | 'mneme'>,
): Uint8Array {
  const whole = { format: 'mneme checkpoint', version: formatVersion, mneme: ownVersion(), ...description };
  return new TextEncoder().encode(`${JSON.stringify(whole, null, 2)}\n`);
}

/**
 * @param file for messages
 * @throws {MnemeError} `file-invalid`: what is wrong, and where
 */
export function parseCheckpointDescription(json: Uint8Array, file: string): CheckpointDescription {
  const data = parseJson(json, file);
  const { version, mneme } = (data ?? {}) as { readonly version?: unknown; readonly mneme?: unknown };
  if (typeof version === 'number' && version > formatVersion) {
    throw invalid(
      file,
      `it has format version ${version}, and this mneme ${ownVersion()} reads up to ${formatVersion}: mneme ${printValue(mneme)} wrote it`,
    );
  }
  const result = v.safeParse(schema, data);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw invalid(file, `'${v.getDotPath(issue)}' must be ${issue.expected ?? issue.message}, got ${issue.received}`);
}
