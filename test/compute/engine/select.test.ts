/** Which engine runs, as the environment says. */
import { expect, test, vi } from 'vitest';
import { loadAddon, sameVersion } from '../../../src/compute/engine/addon.js';
import { createEngine, defaultEngine, engineSettings } from '../../../src/compute/engine/select.js';
import { refusal } from './engines.js';

const unset = { engine: undefined, instructionSet: undefined, threads: undefined };
const refused = (code: Parameters<typeof refusal>[0], message: RegExp) => refusal(code, message) as Error;

test('nothing set: nothing asked for; empty counts as unset', () => {
  expect(engineSettings({})).toEqual(unset);
  expect(engineSettings({ MNEME_ENGINE: '', MNEME_ISA: '', MNEME_THREADS: '' })).toEqual(unset);
});

test('wrong values are refused with the variable, what is allowed and what it was', () => {
  expect(() => engineSettings({ MNEME_ENGINE: 'naitve' })).toThrow(
    refused('invalid-option', /MNEME_ENGINE.*native, reference.*'naitve'.*'native'/),
  );
  for (const MNEME_THREADS of ['0', '-1', 'two', '1.5', '257', '1e2']) {
    expect(() => engineSettings({ MNEME_THREADS })).toThrow(refused('invalid-option', /MNEME_THREADS.*1 to 256/));
  }
  expect(() => createEngine({ ...unset, instructionSet: 'avx1024' }, loadAddon())).toThrow(
    refused('invalid-option', /'avx1024'.*MNEME_ISA.*portable/),
  );
});

test('the native engine runs where its addon loads, with what was asked for', () => {
  const engine = createEngine({ engine: undefined, instructionSet: 'portable', threads: 3 }, loadAddon());
  expect(engine).toMatchObject({ name: 'native', instructionSet: 'portable', precision: 'f32', defaultThreads: 3 });
});

test('where the addon does not load, the reference runs and a warning says why and what to do', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const engine = createEngine(unset, { reason: 'no such file' });
  expect(engine).toMatchObject({ name: 'reference', precision: 'f32' });
  expect(warn).toHaveBeenCalledTimes(1);
  expect(warn.mock.calls[0]![0]).toMatch(/no such file.*npm rebuild mneme/);
  createEngine({ ...unset, engine: 'reference' }, { reason: 'no such file' }); // asked for: nothing to warn of
  expect(warn).toHaveBeenCalledTimes(1);
  warn.mockRestore();
});

test('MNEME_ENGINE=native without the addon is an error with the reason', () => {
  expect(() => createEngine({ ...unset, engine: 'native' }, { reason: 'no such file' })).toThrow(
    refused('engine-unavailable', /no such file.*npm rebuild mneme/),
  );
});

test('the default engine stays the same as long as the environment does', () => {
  expect(defaultEngine()).toBe(defaultEngine());
  vi.stubEnv('MNEME_ENGINE', 'reference');
  expect(defaultEngine().name).toBe('reference');
  vi.unstubAllEnvs();
});

test('an addon built from another version of the package is not used', () => {
  const { addon } = loadAddon();
  expect(sameVersion(addon!, addon!.machine().version)).toEqual({ addon });
  expect(sameVersion(addon!, '9.9.9')).toEqual({ reason: expect.stringMatching(/version \d+\.\d+\.\d+.*is 9\.9\.9/) });
});
