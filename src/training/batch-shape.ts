/** What of a batch its program depends on, and whether the batch fits the network and the loss. */
import { type Dtype, dtypeOf, printShape, type Shape, sameShape, type Tensor } from '../compute/tensor.js';
import { checkMask } from '../data/batch.js';
import { checkFlags, checkLengths } from '../data/lengths.js';
import { MnemeError } from '../errors.js';
import type { Signal } from '../network/layers/layer.js';
import type { Loss } from '../network/losses/loss.js';
import type { NetworkContract } from '../network/network.js';
import type { TracePart } from '../network/trace.js';
import type { Chunk } from './chunks.js';

export interface BatchShape {
  readonly batch: number;
  /** Undefined where a row is no sequence. */
  readonly time: number | undefined;
  readonly initialStates: 'stored' | 'zero';
  /** Whether its targets have weights. */
  readonly masked: boolean;
  /** Whether its rows have lengths. */
  readonly lengths: boolean;
  /** Whether its rows have holes. */
  readonly inputMask: boolean;
  /** Whether some of its rows may start from zero though it continues. */
  readonly reset: boolean;
  /** Where its time is computed in parts, and after how many of them the states are taken that are carried on. */
  readonly parts?: readonly TracePart[] | undefined;
  readonly carry?: number | undefined;
  readonly targets: {
    readonly shape: Shape;
    readonly dtype: 'f32' | 'i32';
    readonly limit: number | undefined;
    /** Whether there is a target for every step. */
    readonly sequence: boolean;
  };
}

/**
 * @throws {MnemeError} `invalid-shape`, `invalid-argument`: which layer or loss, expected and got; `out-of-range`: which length
 */
export function batchShape(
  network: NetworkContract,
  loss: Loss,
  { inputs, targets, mask, lengths, inputMask, reset, parts, carry }: Chunk,
): Omit<BatchShape, 'initialStates'> {
  const signal = network.inputSignal;
  const [batch = 0, time] = inputs.shape;
  const steps = signal.sequence ? time : undefined;
  const reader = `layer ${network.layerNames[0]} (number 1)`;
  const fits = sameShape(inputs.shape, shapeOf(signal, batch, steps)) && batch > 0 && (steps ?? 1) > 0;
  const rightType = (signal.kind === 'ids') === (dtypeOf(inputs.data) === 'i32');
  if (!fits || !rightType) {
    const expected = describe(signal, ['batch', ...(signal.sequence ? ['time'] : [])]);
    throw new MnemeError(
      fits ? 'invalid-argument' : 'invalid-shape',
      `${reader} reads ${expected}, got inputs ${describeTensor(inputs)}.`,
    );
  }
  if (lengths) {
    if (steps === undefined) {
      throw new MnemeError('invalid-argument', `A batch: it has lengths, but ${reader} reads no sequences.`);
    }
    checkLengths('A batch', lengths, batch, steps);
  }
  if (inputMask) {
    if (steps === undefined) {
      throw new MnemeError('invalid-argument', `A batch: it has an input mask, but ${reader} reads no sequences.`);
    }
    checkFlags('A batch: the input mask', inputMask, [batch, steps]);
  }
  if (reset) checkFlags('A batch: reset', reset, [batch], ' Where a row ends within a batch, cut the batch there.');
  const shape = targetShape(network, loss, targets, batch, steps);
  if (mask) {
    checkMask('A batch', mask, shape.shape.slice(0, shape.sequence ? 2 : 1));
    if (dtypeOf(mask.data) === 'i32')
      throw new MnemeError('invalid-argument', 'A batch: the mask must be f32, got i32.');
  }
  return {
    batch,
    time: steps,
    targets: shape,
    masked: mask !== undefined || lengths !== undefined || inputMask !== undefined,
    inputMask: inputMask !== undefined,
    lengths: lengths !== undefined,
    reset: reset !== undefined,
    ...(parts ? { parts } : {}),
    ...(carry === undefined ? {} : { carry }),
  };
}

function targetShape(
  network: NetworkContract,
  loss: Loss,
  targets: Tensor,
  batch: number,
  time: number | undefined,
): BatchShape['targets'] {
  const signal = network.outputSignal;
  const classes = signal.kind === 'vectors' ? signal.features : signal.vocabulary;
  const features = loss.targetFeatures?.(classes) ?? classes;
  const { sequence } = signal;
  const rows = sequence ? [batch, time!] : [batch];
  const ids = dtypeOf(targets.data) === 'i32' && loss.targets.includes('ids');
  if (sameShape(targets.shape, ids ? rows : [...rows, features]) && (ids || dtypeOf(targets.data) !== 'i32')) {
    return { shape: targets.shape, dtype: ids ? 'i32' : 'f32', limit: ids ? classes : undefined, sequence };
  }
  const choices = loss.targets.map((kind) =>
    kind === 'ids' ? `${printShape(rows)} ids (i32)` : `${printShape([...rows, features])} (f32)`,
  );
  throw new MnemeError(
    'invalid-shape',
    `losses.${loss.name} after layer ${network.layerNames.at(-1)} takes targets ${choices.join(' or ')}, got ${describeTensor(targets)}.`,
  );
}

const shapeOf = (signal: Signal, batch: number, time: number | undefined): Shape => [
  batch,
  ...(signal.sequence ? [time ?? 0] : []),
  ...(signal.kind === 'vectors' ? [signal.features] : []),
];

const describe = (signal: Signal, leading: readonly string[]): string =>
  signal.kind === 'ids'
    ? `ids [${leading.join(', ')}] (i32)`
    : `vectors [${[...leading, signal.features].join(', ')}] (f32)`;

const typeNames: Readonly<Record<Dtype, string>> = { f32: 'f32', f64: 'f64', i32: 'i32' };
const describeTensor = ({ shape, data }: Tensor): string => `${printShape(shape)} (${typeNames[dtypeOf(data)]})`;
