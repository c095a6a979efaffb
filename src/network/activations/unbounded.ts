/** Activations of other kinds: powers, exponentials, and those that shrink towards 0. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { activation, adjustable, numbered } from './activation.js';

/** x */
const identity = numbered(4, 'identity', (x) => x);

/** x³ */
const cube = activation('cube', (x) => x.square().mul(x));

/** exp(x) */
const exponential = activation('exponential', (x) => x.exp());

/** x - tanh(x) */
const tanhShrink = activation('tanhShrink', (x) => x.sub(x.tanh()));

const lambda = v.strictObject({ lambda: v.optional(finiteNumber({ minimum: 0 }), 0.5) });

/** 0 where |x| is at most `lambda`, else `lambda` closer to 0. `lambda`: default 0.5. */
const softShrink = adjustable('softShrink', lambda, (x, { lambda }) =>
  x
    .abs()
    .lessOrEqual(lambda)
    .select(0, x.sub(x.sign().mul(lambda))),
);

/** 0 where |x| is at most `lambda`, else x. `lambda`: default 0.5. */
const hardShrink = adjustable('hardShrink', lambda, (x, { lambda }) => x.abs().lessOrEqual(lambda).select(0, x));

export const unbounded = { identity, cube, exponential, tanhShrink, softShrink, hardShrink } as const;
