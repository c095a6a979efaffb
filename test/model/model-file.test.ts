import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { tensor } from '../../src/compute/tensor.js';
import { byteVocabulary, characterVocabulary } from '../../src/data/vocabulary.js';
import { MnemeError } from '../../src/errors.js';
import { loadModel, sequential } from '../../src/model/sequential.js';
import { activation } from '../../src/network/activations.js';
import { layers } from '../../src/network/layers/index.js';
import type { Disk } from '../formats/failing-disk.js';
import { onBothEngines, reference } from './engines.js';

const disk = vi.hoisted<Disk>(() => ({ operations: 0, failAt: 0, powerLost: false }));
vi.mock('node:fs/promises', async (original) => {
  const { failingDisk } = await import('../formats/failing-disk.js');
  return failingDisk(await original(), disk);
});

const root = mkdtempSync(join(tmpdir(), 'mneme-model-'));
afterAll(() => rmSync(root, { recursive: true }));
let directory = '';
beforeEach(() => {
  Object.assign(disk, { operations: 0, failAt: 0, powerLost: false });
  directory = join(mkdtempSync(join(root, 'case-')), 'small.mneme');
});

const vocabulary = characterVocabulary('abc d\n');
const small = (seed: number, engine = reference()) =>
  sequential(
    [
      layers.embedding({ vocabulary: vocabulary.size, units: 3 }),
      layers.lstm({ units: 4, forgetBias: 2 }),
      layers.gru({ units: 4, dropout: 0.25 }),
      layers.dense({ units: vocabulary.size }),
    ],
    { seed, engine, vocabulary },
  );
const valuesOf = async (model: Awaited<ReturnType<typeof loadModel>>) => [...(await model.network.readParameters())];
const load = () => loadModel(directory, { engine: reference() });
const description = () => JSON.parse(readFileSync(join(directory, 'model.json'), 'utf8'));
const parametersFile = () => join(directory, description().parameters.file);

describe('a saved model', () => {
  onBothEngines((engine) => {
    it('comes back with the same bits, layers, seed and vocabulary', async () => {
      const model = small(7, engine());
      await model.save(directory);
      const again = await loadModel(directory, { engine: engine() });
      expect(await valuesOf(again)).toEqual(await valuesOf(model));
      expect(again.network.seed).toBe(7);
      expect(again.network.layers.map(({ kind, options }) => ({ kind, options }))).toEqual(
        model.network.layers.map(({ kind, options }) => ({ kind, options })),
      );
      expect(again.vocabulary?.symbols).toEqual(vocabulary.symbols);
      const ids = tensor(Int32Array.of(0, 1, 2, 3, 4, 5), [2, 3]);
      expect(await again.predict(ids)).toEqual(await model.predict(ids));
    });
  });

  it('is two files: one to read, one that other programs read', async () => {
    const model = small(1);
    await model.save(directory);
    expect(readdirSync(directory).sort()).toEqual(['model.json', description().parameters.file]);
    expect(description()).toMatchObject({
      format: 'mneme model',
      version: 1,
      seed: 1,
      layers: [{ kind: 'embedding' }, { kind: 'lstm' }, { kind: 'gru' }, { kind: 'dense' }],
    });
  });

  it('may have no vocabulary, one of bytes, or vectors to read', async () => {
    const plain = sequential([layers.lstm({ units: 2 }), layers.lastStep()], {
      input: { features: 3 },
      engine: reference(),
    });
    await plain.save(directory);
    expect((await load()).vocabulary).toBeUndefined();
    expect((await load()).network.inputSignal).toEqual({ kind: 'vectors', features: 3, sequence: true });
    plain.vocabulary = byteVocabulary();
    await plain.save(directory);
    expect((await load()).vocabulary?.unit).toBe('byte');
  });

  it('keeps what initializers and activations its layers name', async () => {
    const cube = activation('cube', (x) => x.mul(x).mul(x));
    const model = sequential(
      [layers.dense({ units: 2, activation: cube }), layers.dense({ units: 1, activation: 'softsign' })],
      {
        input: { features: 3 },
        engine: reference(),
      },
    );
    await model.save(directory);
    await expect(load()).rejects.toMatchObject({
      code: 'file-invalid',
      message: expect.stringMatching(/layer 1:.*activation/),
    });
    const again = await loadModel(directory, { engine: reference(), activations: [cube] });
    const x = tensor([1, 2, 3], [1, 1, 3]);
    expect(await again.predict(x)).toEqual(await model.predict(x));
  });

  it('cannot hold an activation under the name of another', async () => {
    const tanh = activation('tanh', (x) => x.mul(2));
    const model = sequential([layers.dense({ units: 2, activation: tanh })], {
      input: { features: 3 },
      engine: reference(),
    });
    await expect(model.save(directory)).rejects.toThrow(/dense cannot be saved: its activation is called 'tanh'/);
    expect(() => readdirSync(directory)).toThrow();
  });

  it('replaces the one before, and leaves other files alone', async () => {
    await small(1).save(directory);
    writeFileSync(join(directory, 'notes.txt'), 'mine');
    const second = small(2);
    await second.save(directory);
    await second.save(directory);
    expect(await valuesOf(await load())).toEqual(await valuesOf(second));
    expect(readdirSync(directory).sort()).toEqual(['model.json', 'notes.txt', description().parameters.file].sort());
  });

  it('is not written with NaN in it', async () => {
    await small(1).save(directory);
    const broken = small(2);
    const values = await broken.network.readParameters();
    values[3] = Number.NaN;
    await broken.network.writeParameters(values);
    await expect(broken.save(directory)).rejects.toMatchObject({
      code: 'not-finite',
      message: expect.stringContaining("Element 3 of 'embedding/table' is NaN"),
    });
    expect(await valuesOf(await load())).toEqual(await valuesOf(small(1)));
  });

  it('cleans up after saves that were killed, once they are old', async () => {
    mkdirSync(directory);
    const leftovers = ['parameters.0123456789abcdef.safetensors', '.model.json.0123456789ab.tmp'];
    const young = 'parameters.fedcba9876543210.safetensors';
    for (const name of [...leftovers, young]) writeFileSync(join(directory, name), '');
    for (const name of leftovers) utimesSync(join(directory, name), 0, 0);
    await small(1).save(directory);
    expect(readdirSync(directory).sort()).toEqual(['model.json', young, description().parameters.file].sort());
  });
});

describe('a save that fails', () => {
  /** How many operations that change the disk a save over another model takes. */
  async function countOperations(): Promise<number> {
    await small(1).save(directory);
    disk.operations = 0;
    await small(2).save(directory);
    const count = disk.operations;
    rmSync(directory, { recursive: true });
    return count;
  }

  it.each([false, true])(
    'leaves the old model or the new, whichever step it was (everything ends there: %s)',
    async (powerLost) => {
      const count = await countOperations();
      expect(count).toBeGreaterThan(10);
      const [old, next] = [await valuesOf(small(1)), await valuesOf(small(2))];
      const outcomes = new Set<string>();
      for (let failAt = 1; failAt <= count; failAt++) {
        Object.assign(disk, { operations: 0, failAt: 0, powerLost: false });
        await small(1).save(directory);
        Object.assign(disk, { operations: 0, failAt, powerLost });
        const failure = await small(2)
          .save(directory)
          .then(
            () => undefined,
            (error) => error,
          );
        Object.assign(disk, { operations: 0, failAt: 0, powerLost: false });
        if (failure) expect(failure).toMatchObject({ name: 'MnemeError', code: 'file-write' });
        const found = await valuesOf(await load());
        const isOld = found.every((value, index) => value === old[index]);
        expect(found).toEqual(isOld ? old : next);
        // Told that it was saved, it is the new one.
        if (!failure) expect(isOld).toBe(false);
        outcomes.add(isOld ? 'old' : 'new');
        // The disk works again: nothing is left that a save does not clean up, but for what a loss of power left.
        if (!powerLost && failure) expect(readdirSync(directory)).toHaveLength(2);
        rmSync(directory, { recursive: true });
      }
      expect(outcomes).toEqual(new Set(['old', 'new']));
    },
  );

  it('leaves no directory where there was none', async () => {
    for (let failAt = 1; failAt <= 6; failAt++) {
      Object.assign(disk, { operations: 0, failAt, powerLost: false });
      await expect(small(1).save(directory)).rejects.toMatchObject({ code: 'file-write' });
      expect(() => readdirSync(directory)).toThrow();
    }
  });

  it('says where it could not write', async () => {
    writeFileSync(directory, 'a file');
    await expect(small(1).save(directory)).rejects.toMatchObject({
      code: 'file-write',
      message: `Cannot write ${directory}: a file of that name is in the way.`,
    });
    await expect(small(1).save(join(directory, 'below'))).rejects.toThrow(/a part of the path is a file/);
  });
});

describe('a model that is not as it was saved', () => {
  const change = (edit: (data: ReturnType<typeof description>) => void): void => {
    const data = description();
    edit(data);
    writeFileSync(join(directory, 'model.json'), JSON.stringify(data));
  };
  beforeEach(() => small(1).save(directory));

  it('is missing', async () => {
    await expect(loadModel(join(directory, 'none'))).rejects.toMatchObject({
      code: 'file-missing',
      message: expect.stringContaining('none/model.json'),
    });
    rmSync(parametersFile());
    await expect(load()).rejects.toThrow(/names parameters\.\w+\.safetensors, which is missing/);
  });

  it('is truncated or changed: the file is named', async () => {
    const bytes = readFileSync(parametersFile());
    writeFileSync(parametersFile(), bytes.subarray(0, -4));
    await expect(load()).rejects.toMatchObject({
      code: 'file-invalid',
      message: expect.stringMatching(/parameters\.\w+\.safetensors .* truncated/),
    });
    bytes[bytes.length - 1]! ^= 1;
    writeFileSync(parametersFile(), bytes);
    await expect(load()).rejects.toThrow(/content is not what was saved/);
  });

  const cases: readonly [string, (data: ReturnType<typeof description>) => void, RegExp][] = [
    ['another format', (data) => (data.format = 'other'), /'format' must be "mneme model"/],
    ['a later version', (data) => (data.version = 2), /format version 2, and this mneme reads up to 1/],
    ['an unknown key', (data) => (data.extra = 1), /'extra' is unknown/],
    ['no layers', (data) => (data.layers = []), /'layers'/],
    [
      'an unknown kind of layer',
      (data) => (data.layers[1].kind = 'lstn'),
      /layer 2 is of the unknown kind 'lstn'. Did you mean 'lstm'/,
    ],
    ['a kind from a prototype', (data) => (data.layers[1].kind = 'toString'), /unknown kind 'toString'/],
    ['an unknown option', (data) => (data.layers[1].options.unit = 4), /layer 2: .*'unit'/],
    ['an option of the wrong type', (data) => (data.layers[1].options.units = '4'), /layer 2: .*'units'/],
    ['layers that do not fit', (data) => (data.layers[0].options.vocabulary = 5), /expected|vocabulary/],
    [
      'another size',
      (data) => (data.layers[1].options.units = 5),
      /'lstm\/kernel' must be F32 \[3, 20\], and is F32 \[3, 16\]/,
    ],
    ['a size beyond all memory', (data) => (data.layers[1].options.units = 1e9), /'lstm\/kernel' must be/],
    ['a layer less', (data) => data.layers.pop(), /no layer has the parameter 'dense\//],
    ['a layer more', (data) => data.layers.push({ kind: 'dense', options: { units: 2 } }), /parameter 'dense/],
    ['a path that leads away', (data) => (data.parameters.file = '../secret.safetensors'), /'parameters.file'/],
    [
      'a path that leads away by its name',
      (data) => (data.parameters.file = 'parameters.0123456789abcdef/../x'),
      /'parameters.file'/,
    ],
    ['a broken vocabulary', (data) => (data.vocabulary = { unit: 'word' }), /vocabulary/],
    ['a vocabulary with a symbol twice', (data) => (data.vocabulary.symbols = 'aa'), /twice/],
    ['a seed that is none', (data) => (data.seed = -1), /'seed'/],
  ];
  it.each(cases)('has %s', async (_, edit, message) => {
    change(edit);
    await expect(load()).rejects.toMatchObject({
      code: 'file-invalid',
      message: expect.stringMatching(message),
    });
  });

  it('has the same key twice, or is no JSON', async () => {
    const json = readFileSync(join(directory, 'model.json'), 'utf8');
    writeFileSync(join(directory, 'model.json'), json.replace('{', '{"seed": 3,'));
    await expect(load()).rejects.toThrow(/'seed' is there twice/);
    writeFileSync(join(directory, 'model.json'), json.slice(0, -5));
    await expect(load()).rejects.toMatchObject({
      code: 'file-invalid',
      message: expect.stringMatching(/model\.json is not valid: it is not JSON/),
    });
  });

  it('never does anything but load or fail with an error of ours', async () => {
    const json = readFileSync(join(directory, 'model.json'));
    const edit = fc.record({ at: fc.nat(json.length - 1), remove: fc.nat(5), insert: fc.string({ maxLength: 5 }) });
    await fc.assert(
      fc.asyncProperty(edit, async ({ at, remove, insert }) => {
        writeFileSync(
          join(directory, 'model.json'),
          Buffer.concat([json.subarray(0, at), Buffer.from(insert), json.subarray(at + remove)]),
        );
        const outcome = await load().catch((error) => error);
        if (outcome instanceof Error) expect(outcome).toBeInstanceOf(MnemeError);
      }),
      { numRuns: 300 },
    );
  });
});

it('a model loaded while another is saved in its place is one of the two', async () => {
  const [first, second] = [small(1), small(2)];
  const values = [await valuesOf(first), await valuesOf(second)];
  await first.save(directory);
  for (let round = 0; round < 10; round++) {
    const saving = (round % 2 === 0 ? second : first).save(directory);
    const found = await valuesOf(await load());
    expect(values.some((each) => each.every((value, index) => value === found[index]))).toBe(true);
    await saving;
  }
});
