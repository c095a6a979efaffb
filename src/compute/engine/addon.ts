/**
 * The native addon: its functions as TypeScript sees them (`native/binding` defines them), and its loading. Programs,
 * memories and streams are numbers there; what is thrown carries a `code` of `errors.ts`.
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { type ErrorCode, MnemeError, printValue } from '../../errors.js';
import type { NumericArray } from '../tensor.js';

export interface Addon {
  /** The instruction set to use: `forced` (throws if this machine has not got it), or the best one where it is empty. */
  selectInstructionSet(forced: string): string;
  machine(): Machine;
  /** With bytes 0 fused multiply-adds in GFLOP/s, else reading so many bytes by each thread in GB/s. Blocks for `seconds`. */
  calibrate(instructionSet: string, threads: number, seconds: number, bytes: number): number;
  loadProgram(instructionSet: string, words: Int32Array): number;
  disposeProgram(program: number): boolean;
  /** Runs a program of one instruction on arrays, at once and without copying; null for absent operands. */
  execute(
    program: number,
    threads: number,
    inputs: readonly (NumericArray | null)[],
    outputs: readonly (NumericArray | null)[],
  ): void;
  allocateMemory(elements: number): number;
  disposeMemory(memory: number): boolean;
  /** `settle` is called with the number of finished items, which `collect` then takes one by one, oldest first. */
  createStream(threads: number, settle: (count: number) => void): number;
  disposeStream(stream: number): boolean;
  /** Memories by number, 0 for none. */
  submit(
    stream: number,
    program: number,
    parameters: number,
    updater: number,
    state: number,
    repeat: number,
    inputs: readonly NumericArray[],
  ): void;
  write(stream: number, memory: number, offset: number, data: NumericArray): void;
  read(stream: number, memory: number, offset: number, count: number): void;
  /** Throws what went wrong with the item; copies its results into the arrays otherwise. */
  collect(stream: number, arrays: readonly NumericArray[]): void;
}

/** The machine as the addon sees it. */
export interface Machine {
  /** Of the package that the addon was built from. */
  readonly version: string;
  readonly cpu: string;
  /** Cores this process may run on. */
  readonly cores: number;
  /** Memory this process may use. */
  readonly memoryBytes: number;
  /** Those that were built and run here, best first. */
  readonly instructionSets: readonly string[];
  /** Data caches of the first, second and third level; 0 where unknown. */
  readonly cacheBytes: readonly number[];
}

/** The addon, or why it does not load. */
export type AddonLoad = { readonly addon: Addon } | { readonly addon?: undefined; readonly reason: string };

/** Loads the addon: built in `build/Release`, or one from `prebuilds`. */
export function loadAddon(): AddonLoad {
  const require = createRequire(import.meta.url);
  // The package's root, from src/compute/engine and from dist/compute/engine alike.
  const root = new URL('../../../', import.meta.url);
  try {
    const load = require('node-gyp-build') as (folder: string) => Addon;
    const { version } = require(fileURLToPath(new URL('package.json', root))) as { version: string };
    return sameVersion(load(fileURLToPath(root)), version);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { reason: message.split('\n')[0]!.trim() };
  }
}

/** The addon, unless it was built from another version of the package: then the two may not understand each other. */
export function sameVersion(addon: Addon, version: string): AddonLoad {
  const built = addon.machine().version;
  return built === version
    ? { addon }
    : { reason: `the addon was built from version ${built}, the package is ${version}` };
}

/** Runs `action`, turning what the addon throws into a `MnemeError`; `where` begins its message. */
export function callAddon<Result>(where: string, action: () => Result): Result {
  try {
    return action();
  } catch (error) {
    throw fromAddon(where, error);
  }
}

/** What the addon threw, as a `MnemeError`. */
export function fromAddon(where: string, error: unknown): MnemeError {
  if (error instanceof MnemeError) return error;
  const { code, message } = (error ?? {}) as { code?: ErrorCode; message?: string };
  // Without a code it is what a getter in an argument threw.
  const given = typeof code === 'string' ? code : 'invalid-argument';
  return new MnemeError(given, `${where}: ${message ?? printValue(error)}.`, { cause: error });
}
