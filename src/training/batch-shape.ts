/** What of a batch its program depends on, and whether the batch fits the network and the loss. */
import { type Dtype, dtypeOf, printShape, type Shape, sameShape, type Tensor } from '../compute/tensor.js';
import { type Batch, checkMask } from '../data/batch.js';
import { MnemeError } from '../errors.js';
import type { Signal } from '../network/layers/layer.js';
import type { Loss } from '../network/losses/loss.js';
import type { NetworkContract } from '../network/network.js';

export interface BatchShape {
  readonly batch: number;
  /** Undefined where a row is no sequence. */
  readonly time: number | undefined;
  readonly initialStates: 'stored' | 'zero';
  /** Whether its targets have weights. */
  readonly masked: boolean;
  readonly targets: {
    readonly shape: Shape;
    readonly dtype: 'f32' | 'i32';
    readonly limit: number | undefined;
    /** Whether there is a target for every step. */
    readonly sequence: boolean;
  };
}

/**
 * @throws {MnemeError} `invalid-shape` or `invalid-argument`: which layer or loss, expected and got
 */
export function batchShape(
  network: NetworkContract,
  loss: Loss,
  { inputs, targets, mask }: Batch,
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
  const shape = targetShape(network, loss, targets, batch, steps);
  if (mask) {
    checkMask('A batch', mask, shape.shape.slice(0, shape.sequence ? 2 : 1));
    if (dtypeOf(mask.data) === 'i32')
      throw new MnemeError('invalid-argument', 'A batch: the mask must be f32, got i32.');
  }
  return { batch, time: steps, targets: shape, masked: mask !== undefined };
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
