/** Which engine runs: the native one if its addon loads, else the reference; the environment may say otherwise. */
import { MnemeError } from '../../errors.js';
import { nearestName } from '../../options.js';
import { type AddonLoad, loadAddon } from './addon.js';
import type { Engine } from './engine.js';
import { createNativeEngine, type NativeEngine } from './native.js';
import { createReferenceEngine } from './reference.js';

const engineNames = ['native', 'reference'];
const mostThreads = 256;

/** What the environment variables ask for, checked. */
export interface EngineSettings {
  /** MNEME_ENGINE */
  readonly engine: 'native' | 'reference' | undefined;
  /** MNEME_ISA */
  readonly instructionSet: string | undefined;
  /** MNEME_THREADS */
  readonly threads: number | undefined;
}

/**
 * Reads MNEME_ENGINE, MNEME_ISA and MNEME_THREADS. Empty counts as unset. Which instruction sets there are only the
 * addon knows: the native engine checks that one.
 *
 * @throws {MnemeError} `invalid-option`, naming the variable, what is allowed and what it was
 */
export function engineSettings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): EngineSettings {
  const choice = (variable: string, allowed: readonly string[]) => {
    const value = environment[variable] || undefined;
    if (value === undefined || allowed.includes(value)) return value;
    throw new MnemeError(
      'invalid-option',
      `${variable} must be one of ${allowed.join(', ')}, got '${value}'. Did you mean '${nearestName(value, allowed)}'?`,
    );
  };
  const threads = environment.MNEME_THREADS || undefined;
  if (threads !== undefined && !(/^\d+$/.test(threads) && Number(threads) >= 1 && Number(threads) <= mostThreads)) {
    throw new MnemeError(
      'invalid-option',
      `MNEME_THREADS must be a whole number from 1 to ${mostThreads}, got '${threads}'.`,
    );
  }
  return {
    engine: choice('MNEME_ENGINE', engineNames) as EngineSettings['engine'],
    instructionSet: environment.MNEME_ISA || undefined,
    threads: threads === undefined ? undefined : Number(threads),
  };
}

/**
 * The engine to use where nobody says otherwise; the same one as long as the environment stays the same.
 * Where the addon does not load it is the reference, and the process is warned once.
 *
 * @throws {MnemeError} `engine-unavailable` if MNEME_ENGINE=native and the addon does not load, `invalid-option` for
 *   other values of the variables
 */
export function defaultEngine(): Engine {
  const settings = engineSettings();
  return remember(engines, settings, () => createEngine(settings, loadAddon()));
}

/**
 * The native engine, whatever MNEME_ENGINE says; the same one as long as the environment stays the same.
 *
 * @throws {MnemeError} `engine-unavailable` if the addon does not load: why, and what to do
 */
export function defaultNativeEngine(): NativeEngine {
  const settings = engineSettings();
  return remember(nativeEngines, settings, () => createNative(settings, loadAddon()));
}

const engines = new Map<string, Engine>();
const nativeEngines = new Map<string, NativeEngine>();

function remember<Kind>(known: Map<string, Kind>, settings: EngineSettings, make: () => Kind): Kind {
  const key = JSON.stringify(settings);
  const engine = known.get(key) ?? make();
  known.set(key, engine);
  return engine;
}

/** The engine for these settings, given the addon or the reason why there is none. */
export function createEngine(settings: EngineSettings, load: AddonLoad): Engine {
  if (settings.engine === 'reference') return createReferenceEngine({ precision: 'f32' });
  if (load.addon || settings.engine === 'native') return createNative(settings, load);
  process.emitWarning(
    `the native engine does not load (${load.reason}); running on the reference engine, a hundred times slower. ${remedy}`,
    { type: 'MnemeWarning', code: 'MNEME_REFERENCE' },
  );
  return createReferenceEngine({ precision: 'f32' });
}

function createNative({ instructionSet, threads }: EngineSettings, load: AddonLoad): NativeEngine {
  if (!load.addon) {
    throw new MnemeError('engine-unavailable', `the native engine does not load: ${load.reason}. ${remedy}`);
  }
  return createNativeEngine({
    addon: load.addon,
    ...(instructionSet === undefined ? {} : { instructionSet }),
    ...(threads === undefined ? {} : { threads }),
  });
}

const remedy =
  'Build it with `npm rebuild mneme` (in a clone: `npm run build:addon`); `mneme doctor` says what is missing.';
