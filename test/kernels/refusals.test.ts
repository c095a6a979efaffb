/** What the public kernels refuse, and what they say. */
import { afterEach, expect, test, vi } from 'vitest';
import { type LstmForward, lstmBackward, lstmForward, lstmForwardAsync, matmul } from '../../src/kernels/index.js';
import { refusal } from '../compute/engine/engines.js';
import { argumentsOf, extents } from './cases.js';

afterEach(() => void vi.unstubAllEnvs());

const { shared, results, filled } = argumentsOf({ cell: 'lstm', resetAfter: false });
const good = { ...shared, ...results };
const refuse = (changes: object, code: Parameters<typeof refusal>[0], message: RegExp, threads?: number) => {
  const values = { ...good, ...changes } as LstmForward;
  const expected = refusal(code, message) as Error;
  expect(() => lstmForward(values, threads === undefined ? {} : { threads })).toThrow(expected);
};

test('arguments that are missing, misspelt or of the wrong type', () => {
  refuse({ kernel: undefined }, 'invalid-argument', /lstmForward: 'kernel' is missing/);
  refuse({ finalhidden: results.finalHidden }, 'invalid-argument', /unknown argument 'finalhidden'.*'finalHidden'/);
  refuse({ resetAfter: true }, 'invalid-argument', /unknown argument 'resetAfter'/);
  refuse({ kernel: [1, 2] }, 'invalid-argument', /'kernel' must be a Float32Array.*Array/);
  refuse({ kernel: new Float64Array(shared.kernel) }, 'invalid-argument', /'kernel'.*Float64Array/);
  refuse({ bias: new Int32Array(shared.bias.length) }, 'invalid-shape', /bias/);
  refuse({ activation: 'tahn' }, 'invalid-argument', /'tahn'.*'tanh'/);
  refuse({ units: 2.5 }, 'invalid-argument', /'units'.*2\.5/);
  refuse({}, 'invalid-option', /threads.*1 to 256.*got 0/, 0);
});

test('arrays that do not fit: which, expected and got', () => {
  const { time, batch, units } = extents;
  refuse(
    { output: new Float32Array(7) },
    'invalid-shape',
    new RegExp(`'output'.*\\[${time}, ${batch}, ${units}\\].*got 7`),
  );
  refuse({ tape: new Float32Array(7) }, 'invalid-shape', /'tape'.*got 7/);
  const detached = shared.input.slice();
  structuredClone(detached, { transfer: [detached.buffer] });
  refuse({ input: detached }, 'invalid-shape', /'input'.*detached/);
});

test('arrays that share memory, with another or with another thread', () => {
  refuse(
    { output: results.output, finalHidden: results.output.subarray(0, results.finalHidden.length) },
    'invalid-argument',
    /share/,
  );
  refuse({ finalHidden: shared.initialHidden }, 'invalid-argument', /share/);
  const elsewhere = new Float32Array(new SharedArrayBuffer(shared.kernel.byteLength));
  refuse({ kernel: elsewhere }, 'invalid-argument', /SharedArrayBuffer/);
});

test('an id outside of the inputs', () => {
  const ids = new Int32Array(extents.time * extents.batch);
  ids[4] = extents.inputs;
  refuse({ input: ids }, 'out-of-range', new RegExp(`${extents.inputs}`));
});

test('gradients of what is not there', () => {
  const { bias: _, ...without } = shared;
  const { output, tape } = results;
  expect(() => lstmBackward({ ...without, output, tape, ...filled })).toThrow(
    refusal('invalid-argument', /lstmBackward.*'dBias'/) as Error,
  );
});

test('asynchronous calls reject instead of throwing', async () => {
  await expect(lstmForwardAsync({ ...good, output: new Float32Array(1) } as LstmForward)).rejects.toEqual(
    refusal('invalid-shape', /'output'/),
  );
  const running = lstmForwardAsync(good as LstmForward);
  structuredClone(good.finalHidden, { transfer: [good.finalHidden.buffer] });
  await expect(running).rejects.toEqual(refusal('invalid-argument', /elements/));
});

test('a matrix product of other sizes', () => {
  const a = new Float32Array(6);
  const c = new Float32Array(4);
  expect(() => matmul({ m: 2, n: 2, k: 2, a, b: a, c })).toThrow(
    refusal('invalid-shape', /'a'.*4 elements.*got 6/) as Error,
  );
  expect(() => matmul({ m: 2, n: 0, k: 3, a, b: a, c })).toThrow(refusal('invalid-shape') as Error);
});

test('without the addon: why it does not load, and what to do', () => {
  vi.stubEnv('MNEME_PREBUILD', '/nowhere');
  vi.stubEnv('MNEME_THREADS', '7'); // so that no engine is remembered
  expect(() => lstmForward(good as LstmForward)).toThrow(
    refusal('engine-unavailable', /does not load: No native build.*npm rebuild mneme/) as Error,
  );
});
