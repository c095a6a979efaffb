/** Options that many updaters have. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { rateOption } from '../rates.js';

/** At least 0; may be scheduled. */
export const learningRate = (standard: number) => v.optional(rateOption({ minimum: 0 }), standard);

/** What is kept of a running mean or of a velocity from step to step: in [0, 1); may be scheduled. */
export const kept = (standard: number) => v.optional(rateOption({ minimum: 0, below: 1 }), standard);

/** The share of each parameter, times the learning rate, that is taken off it: at least 0; may be scheduled. */
export const weightDecay = (standard: number) => v.optional(rateOption({ minimum: 0 }), standard);

/** What keeps a denominator from 0. */
export const epsilon = (standard: number) => v.optional(finiteNumber({ above: 0 }), standard);

/** Whether the learning rate is part of the velocity, as in Keras and DL4J, or multiplies it, as in PyTorch. */
export const ratePlacement = v.optional(v.picklist(['inside', 'outside']), 'inside');
