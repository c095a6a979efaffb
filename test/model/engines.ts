/** The engines that a claim about models is tested on. */
import { describe } from 'vitest';
import { loadAddon } from '../../src/compute/engine/addon.js';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../src/compute/engine/native.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { engineSettings } from '../../src/compute/engine/select.js';

type MakeEngine = () => Engine;

export const reference: MakeEngine = () => createReferenceEngine({ precision: 'f32' });

/** States lose nothing between steps here, so that many steps at once and one by one give the same bits. */
const exactReference: MakeEngine = () => createReferenceEngine({ precision: 'f64' });

const { addon } = loadAddon();
const { instructionSet } = engineSettings();
const native: MakeEngine | undefined =
  addon && (() => createNativeEngine({ addon, threads: 2, ...(instructionSet ? { instructionSet } : {}) }));

/** Runs claims on the native engine and on the reference; skips the former where the addon is not built. */
export function onBothEngines(claims: (makeEngine: MakeEngine) => void, referenceEngine: MakeEngine = reference): void {
  describe('on the reference engine', () => claims(referenceEngine));
  describe.skipIf(!native)('on the native engine', () => claims(native ?? referenceEngine));
}

/** For claims about equal bits whatever the number of steps in a call. */
export const onExactEngines = (claims: (makeEngine: MakeEngine) => void): void => onBothEngines(claims, exactReference);
