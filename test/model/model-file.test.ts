import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { tensor } from '../../src/compute/tensor.js';
import { byteVocabulary } from '../../src/data/vocabulary.js';
import { MnemeError } from '../../src/errors.js';
import { loadModel, sequential } from '../../src/model/sequential.js';
import { activation, activations } from '../../src/network/activations.js';
import { layers } from '../../src/network/layers/index.js';
import { onBothEngines, reference } from './engines.js';
import { small, valuesOf, vocabulary } from './small-model.js';

const root = mkdtempSync(join(tmpdir(), 'mneme-model-'));
afterAll(() => rmSync(root, { recursive: true }));
let directory = '';
beforeEach(() => {
  directory = join(mkdtempSync(join(root, 'case-')), 'small.mneme');
});

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
    const tripled = activation('tripled', (x) => x.mul(3));
    const model = sequential(
      [layers.dense({ units: 2, activation: tripled }), layers.dense({ units: 1, activation: 'softsign' })],
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
    const again = await loadModel(directory, { engine: reference(), activations: [tripled] });
    const x = tensor([1, 2, 3], [1, 1, 3]);
    expect(await again.predict(x)).toEqual(await model.predict(x));
  });

  it('keeps activations with their settings, in cells, gates and layers', async () => {
    const { leakyRelu, hardTanh } = activations;
    const model = sequential(
      [
        layers.gru({
          units: 2,
          activation: hardTanh.with({ maximum: 2 }),
          gateActivation: { name: 'softplus', beta: 2 },
        }),
        layers.dense({ units: 2, activation: leakyRelu.with({ slope: 0.5 }) }),
        layers.dense({ units: 2, activation: 'logSoftmax' }),
      ],
      { input: { features: 3 }, engine: reference() },
    );
    await model.save(directory);
    const [gru, leaky] = description().layers;
    expect(gru.options).toMatchObject({
      activation: { name: 'hardTanh', minimum: -1, maximum: 2 },
      gateActivation: { name: 'softplus', beta: 2 },
    });
    expect(leaky.options).toMatchObject({ activation: { name: 'leakyRelu', slope: 0.5 } });
    const x = tensor([1, -2, 3], [1, 1, 3]);
    expect(await (await load()).predict(x)).toEqual(await model.predict(x));
  });

  it('says which setting of an activation in a file is none', async () => {
    await sequential([layers.dense({ units: 1, activation: { name: 'leakyRelu', slope: 0.5 } })], {
      input: { features: 3 },
      engine: reference(),
    }).save(directory);
    const file = join(directory, 'model.json');
    writeFileSync(file, readFileSync(file, 'utf8').replace('"slope"', '"slop"'));
    await expect(load()).rejects.toMatchObject({
      code: 'file-invalid',
      message: expect.stringMatching(/layer 1: activations.leakyRelu: unknown option 'slop'. Did you mean 'slope'/),
    });
  });

  it('does not take an initializer for an activation of that name', async () => {
    const normal = activation('normal', (x) => x.mul(2));
    const model = sequential([layers.dense({ units: 2, activation: normal, kernelInitializer: 'normal' })], {
      input: { features: 3 },
      engine: reference(),
    });
    await model.save(directory);
    const again = await loadModel(directory, { engine: reference(), activations: [normal] });
    expect(again.network.layers[0]!.options).toEqual(model.network.layers[0]!.options);
  });

  it('cannot hold an activation under the name of another', async () => {
    const tanh = activation('tanh', (x) => x.mul(2));
    const model = sequential([layers.dense({ units: 2, activation: tanh })], {
      input: { features: 3 },
      engine: reference(),
    });
    await expect(model.save(directory)).rejects.toThrow(/dense cannot be saved: its activation is called 'tanh'/);
    const softmax = activation('softmax', (x) => x.mul(2));
    const other = sequential([layers.dense({ units: 2, activation: softmax })], {
      input: { features: 3 },
      engine: reference(),
    });
    await expect(other.save(directory)).rejects.toThrow(/dense cannot be saved: its activation is called 'softmax'/);
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

describe('a model that is not as it was saved', () => {
  const change = (edit: (data: ReturnType<typeof description>) => void): void => {
    const data = description();
    edit(data);
    writeFileSync(join(directory, 'model.json'), JSON.stringify(data));
  };
  beforeEach(() => small(1).save(directory));

  it('is missing', async () => {
    await expect(loadModel(undefined as never)).rejects.toMatchObject({ code: 'invalid-argument' });
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
