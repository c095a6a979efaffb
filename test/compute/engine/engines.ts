/** The engines that the tests of the contract run on. */
import { expect } from 'vitest';
import { loadAddon } from '../../../src/compute/engine/addon.js';
import type { Engine } from '../../../src/compute/engine/engine.js';
import { createNativeEngine } from '../../../src/compute/engine/native.js';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import type { ErrorCode } from '../../../src/errors.js';

/** The native engine; a test that needs it fails where the addon does not load. */
export function nativeEngine(options: { readonly instructionSet?: string; readonly threads?: number } = {}) {
  const load = loadAddon();
  if (!load.addon) throw new Error(`these tests need the native addon: ${load.reason}`);
  return createNativeEngine({ addon: load.addon, ...options });
}

export const engines: readonly (readonly [string, () => Engine])[] = [
  ['native', () => nativeEngine()],
  ['reference', () => createReferenceEngine({ precision: 'f32' })],
];

/** Matches an error with that code and message. */
export const refusal = (code: ErrorCode, message = /./): unknown =>
  expect.objectContaining({ name: 'MnemeError', code, message: expect.stringMatching(message) });
