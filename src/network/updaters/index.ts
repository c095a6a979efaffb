/** All updaters: a new one is a file and a line here. */
import { adagrad } from './adagrad.js';
import { adam } from './adam.js';
import { nesterovs } from './nesterovs.js';
import { rmsprop } from './rmsprop.js';
import { sgd } from './sgd.js';

export const updaters = { adagrad, adam, nesterovs, rmsprop, sgd } as const;
