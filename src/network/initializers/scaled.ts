/**
 * Initializers of mean 0 whose variance follows from the shape of the matrix: from its rows, `fanIn`, and its columns,
 * `fanOut`.
 */
import * as v from 'valibot';
import { elementCount } from '../../compute/tensor.js';
import { finiteNumber } from '../../options.js';
import { truncatedNormals } from './distributions.js';
import { gates, type Initializer, matrix, rule } from './initializer.js';

type Distribution = 'uniform' | 'normal' | 'truncatedNormal';

/** Fans that are to be others than the rows and columns. */
interface Fans {
  readonly fanIn?: number | undefined;
  readonly fanOut?: number | undefined;
}
const fans = { fanIn: v.optional(finiteNumber({ above: 0 })), fanOut: v.optional(finiteNumber({ above: 0 })), gates };
const gain = v.optional(finiteNumber({ above: 0 }), 1);

/** The deviation of a standard normal number within ±2: sqrt(1 - 4·φ(2) / (2·Φ(2) - 1)). */
const truncatedDeviation = 0.8796256610342398;

interface Scaling extends Fans {
  readonly distribution: Distribution;
  readonly gain: number;
  /** The variance is gain²·scale/size. */
  readonly scale: number;
  readonly size: (fanIn: number, fanOut: number) => number;
}

function scaled({ fanIn, fanOut, distribution, gain, scale, size }: Scaling): Initializer {
  return (shape, random) => {
    const [rows, columns] = matrix(shape);
    const count = elementCount(shape);
    const divisor = size(fanIn ?? rows, fanOut ?? columns);
    if (distribution === 'uniform') {
      const limit = gain * Math.sqrt((3 * scale) / divisor);
      return random.uniform(count).map((x) => limit * (2 * x - 1));
    }
    const deviation = gain * Math.sqrt(scale / divisor);
    if (distribution === 'normal') return random.normal(count).map((x) => deviation * x);
    return truncatedNormals(count, random).map((x) => (deviation / truncatedDeviation) * x);
  };
}

/** One of a fixed scale, with a gain. */
const named = <const Kind extends string>(kind: Kind, of: Pick<Scaling, 'distribution' | 'scale' | 'size'>) =>
  rule(kind, { gain, ...fans }, (settings) => scaled({ ...of, ...settings }));

/** The same with a choice between the whole normal distribution and what of it is within two deviations. */
const namedNormal = <const Kind extends string>(kind: Kind, of: Pick<Scaling, 'scale' | 'size'>) =>
  rule(kind, { gain, truncated: v.optional(v.boolean(), false), ...fans }, ({ truncated, ...settings }) =>
    scaled({ ...of, ...settings, distribution: truncated ? 'truncatedNormal' : 'normal' }),
  );

const inputs = (fanIn: number): number => fanIn;
const both = (fanIn: number, fanOut: number): number => fanIn + fanOut;

export const xavierUniform = named('xavierUniform', { distribution: 'uniform', scale: 2, size: both });
export const xavierNormal = named('xavierNormal', { distribution: 'normal', scale: 2, size: both });
export const glorotNormal = named('glorotNormal', { distribution: 'truncatedNormal', scale: 2, size: both });
export const xavierFanIn = named('xavierFanIn', { distribution: 'normal', scale: 1, size: inputs });
export const xavierLegacy = named('xavierLegacy', { distribution: 'normal', scale: 1, size: both });
export const sigmoidUniform = named('sigmoidUniform', { distribution: 'uniform', scale: 32, size: both });
export const lecunUniform = named('lecunUniform', { distribution: 'uniform', scale: 1, size: inputs });
export const lecunNormal = namedNormal('lecunNormal', { scale: 1, size: inputs });
export const heUniform = named('heUniform', { distribution: 'uniform', scale: 2, size: inputs });
export const heNormal = namedNormal('heNormal', { scale: 2, size: inputs });

export const varianceScaling = rule(
  'varianceScaling',
  {
    scale: v.optional(finiteNumber({ above: 0 }), 1),
    mode: v.optional(v.picklist(['fanIn', 'fanOut', 'fanAverage']), 'fanIn'),
    distribution: v.optional(v.picklist(['truncatedNormal', 'normal', 'uniform']), 'truncatedNormal'),
    ...fans,
  },
  ({ mode, ...settings }) =>
    scaled({
      ...settings,
      gain: 1,
      size: (fanIn, fanOut) => ({ fanIn, fanOut, fanAverage: (fanIn + fanOut) / 2 })[mode],
    }),
);
