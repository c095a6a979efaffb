/** All generators by name: a new one is a file and a line here. */
import { adding } from './adding.js';
import { copying } from './copying.js';
import { mackeyGlass } from './mackey-glass.js';
import { noisySine } from './noisy-sine.js';
import { parity } from './parity.js';
import { embeddedReber, reber } from './reber.js';
import { temporalOrder } from './temporal-order.js';

export const generators = {
  adding,
  copying,
  embeddedReber,
  mackeyGlass,
  noisySine,
  parity,
  reber,
  temporalOrder,
} as const;
