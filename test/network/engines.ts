/** The engines that tests of networks run on: the reference in double precision and, where its addon loads, the native one. */
import { loadAddon } from '../../src/compute/engine/addon.js';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';

export const exact: Engine = createReferenceEngine({ precision: 'f64' });

const { addon } = loadAddon();
export const native: Engine | undefined = addon && createNativeEngine({ addon, threads: 1 });
