import { describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { uniforms } from '../../src/compute/random.js';
import { tensor } from '../../src/compute/tensor.js';
import { byteVocabulary, characterVocabulary, type Vocabulary } from '../../src/data/vocabulary.js';
import type { GenerateOptions } from '../../src/inference/generation.js';
import type { Model } from '../../src/model/model.js';
import { sequential } from '../../src/model/sequential.js';
import { layers } from '../../src/network/layers/index.js';
import { onBothEngines, onExactEngines, reference } from '../model/engines.js';

const vocabulary = characterVocabulary('abcdefgh');
/** Scores far enough apart that every symbol has its turn and none is certain. */
function writer(engine: Engine): Model {
  const large = { kernelInitializer: 'xavierNormal', recurrentInitializer: 'orthogonal' } as const;
  return sequential(
    [
      layers.oneHot({ vocabulary: vocabulary.size }),
      layers.lstm({ units: 6, ...large }),
      layers.gru({ units: 6, dropout: 0.5, ...large }),
      layers.dense({ units: vocabulary.size }),
    ],
    { seed: 5, engine, vocabulary },
  );
}
/** Writes `text` over and over: each symbol has one successor. */
async function parrot(engine: Engine, text: string, known: Vocabulary): Promise<Model> {
  const { size } = known;
  const model = sequential([layers.oneHot({ vocabulary: size }), layers.dense({ units: size })], {
    engine,
    vocabulary: known,
  });
  const kernel = new Float32Array(size * size);
  const ids = known.encode(text);
  for (const [i, id] of ids.entries()) kernel[id * size + ids[(i + 1) % ids.length]!] = 100;
  await model.network.setParameter('dense/kernel', tensor(kernel, [size, size]));
  return model;
}

async function write(model: Model, prime: string, options: GenerateOptions): Promise<string> {
  return collect(model.session().generate(prime, options));
}
async function collect(characters: AsyncIterable<string>): Promise<string> {
  let text = '';
  for await (const character of characters) text += character;
  return text;
}

/** The same by hand: one step at a time, drawn by the definition of `sample` without topK and topP. */
async function writeByHand(
  model: Model,
  prime: string,
  length: number,
  temperature: number,
  seed: number,
): Promise<string> {
  const session = model.session();
  const ids = [...vocabulary.encode(prime)];
  let scores = await session.step(tensor(Int32Array.from(ids), [1, ids.length]));
  let text = '';
  for (let step = 0; step < length; step++) {
    const logits = [...scores.data.slice(-vocabulary.size)];
    const largest = Math.max(...logits);
    const weights = logits.map((logit) => Math.exp((logit - largest) / temperature));
    const [u] = uniforms(1, { seed, purpose: 0, step });
    let threshold = u! * weights.reduce((sum, weight) => sum + weight);
    const id = weights.findIndex((weight) => {
      threshold -= weight;
      return threshold < 0;
    });
    text += vocabulary.symbols[id];
    scores = await session.step([id]);
  }
  return text;
}

onExactEngines((engine) => {
  describe('generated text', () => {
    it('is what stepping and drawing by hand gives', async () => {
      const model = writer(engine());
      for (const [temperature, seed] of [
        [1, 1],
        [0.5, 2 ** 40 + 3],
      ] as const) {
        const text = await write(model, 'abc', { length: 100, temperature, seed });
        expect(text).toBe(await writeByHand(model, 'abc', 100, temperature, seed));
        expect(new Set(text).size).toBeGreaterThan(3);
      }
    });

    it.each([
      ['at its length', {}, 40],
      ['by a break', {}, 37],
      ['by a break before its first character', {}, 0],
      ['by a question', { stop: (text: string) => text.length === 33 }, 33],
    ])('leaves the state where it ended: %s', async (_, options, length) => {
      const model = writer(engine());
      const session = model.session();
      const prime = 'abcdefgh'.repeat(10);
      let text = '';
      if (length > 0) {
        for await (const character of session.generate(prime, { length: 40, seed: 9, ...options })) {
          text += character;
          if (text.length === length && length !== 33) break;
        }
      } else {
        const generation = session.generate(prime, { length: 40 });
        const next = generation.next();
        await generation.return();
        text = (await next).value ?? '';
      }
      const other = model.session();
      const fed = prime + text;
      await other.step(tensor(vocabulary.encode(fed), [1, fed.length]));
      expect(await session.state()).toEqual(await other.state());
    });
  });
});

onBothEngines((engine) => {
  describe('generated text', () => {
    it('is the same for the same seed, however much of it there is', async () => {
      const model = writer(engine());
      const long = await write(model, 'a', { length: 150, seed: 1 });
      expect(long).toHaveLength(150);
      for (const length of [0, 1, 31, 32, 33, 64, 100]) {
        expect(await write(model, 'a', { length, seed: 1 })).toBe(long.slice(0, length));
      }
      expect(await write(model, 'a', { length: 150, seed: 2 })).not.toBe(long);
      expect(await write(model, 'a', { length: 150 })).not.toBe(await write(model, 'a', { length: 150 }));
    });

    it('is the same again in a session that was reset', async () => {
      const session = writer(engine()).session();
      const first = await collect(session.generate('a', { length: 50, seed: 1 }));
      await session.reset();
      expect(await collect(session.generate('a', { length: 50, seed: 1 }))).toBe(first);
    });

    it('takes one call to the engine for many characters', async () => {
      const model = writer(engine());
      const submit = vi.spyOn(model.network.stream, 'submit');
      await write(model, 'a', { length: 320 });
      // Ten of 32 characters, and up to six that bring the state to where the text ended.
      expect(submit.mock.calls.length).toBeLessThanOrEqual(16);
    });

    it('depends on all of the prime, and on what the session read before', async () => {
      const model = writer(engine());
      const options = { length: 60, seed: 1 };
      const whole = await write(model, `ab${'c'.repeat(80)}d`, options);
      const session = model.session();
      await session.step(tensor(vocabulary.encode('ab'), [1, 2]));
      expect(await collect(session.generate(`${'c'.repeat(80)}d`, options))).toBe(whole);
      expect(await write(model, 'd', options)).not.toBe(whole);
    });

    it('is the most likely one at temperature 0, with topK 1 and with a small topP', async () => {
      const model = writer(engine());
      const best = await write(model, 'a', { length: 50, temperature: 0 });
      expect(await write(model, 'a', { length: 50, topK: 1 })).toBe(best);
      expect(await write(model, 'a', { length: 50, topP: 1e-6 })).toBe(best);
      expect(await write(model, 'a', { length: 50, topK: 8, topP: 1, seed: 1 })).toBe(
        await write(model, 'a', { length: 50, seed: 1 }),
      );
    });

    it('ends before the stopping text', async () => {
      const model = await parrot(engine(), 'abcdefgh', vocabulary);
      expect(await write(model, 'a', { temperature: 0, stop: 'fg' })).toBe('bcde');
      expect(await write(model, 'a', { temperature: 0, stop: 'ab', length: 6 })).toBe('bcdefg');
      expect(await write(model, 'a', { temperature: 0, length: 7, stop: 'ha' })).toBe('bcdefgh');
    });

    it('of bytes comes in whole characters', async () => {
      const model = await parrot(engine(), 'é€😀', byteVocabulary());
      const characters: string[] = [];
      for await (const character of model.session().generate('é', { length: 18, temperature: 0 }))
        characters.push(character);
      expect(characters).toEqual(['€', '😀', 'é', '€', '😀', 'é']);
      // The last character would need one byte more.
      expect(await write(model, 'é', { length: 6, temperature: 0 })).toBe('€');
    });
  });
});

describe('generation', () => {
  it('stops at a signal, with the state where it was', async () => {
    const model = writer(reference());
    const session = model.session();
    const controller = new AbortController();
    let text = '';
    const generation = session.generate('abc', { length: 1e9, signal: controller.signal });
    await expect(
      (async () => {
        for await (const character of generation) {
          text += character;
          if (text.length === 50) controller.abort();
        }
      })(),
    ).rejects.toMatchObject({ name: 'MnemeError', code: 'aborted' });
    expect(text).toHaveLength(50);
    await expect(session.step([0])).resolves.toBeDefined();
    await expect(collect(session.generate('a', { signal: AbortSignal.abort() }))).rejects.toMatchObject({
      code: 'aborted',
    });
  });

  it('has its session to itself', async () => {
    const session = writer(reference()).session();
    const generation = session.generate('a', { length: 5 });
    await generation.next();
    for (const action of [() => session.step([0]), () => session.reset(), () => session.state()]) {
      await expect(action()).rejects.toMatchObject({ code: 'busy' });
    }
    expect(() => session.generate('a')).toThrow(expect.objectContaining({ code: 'busy' }));
    await generation.return();
    await session.step([0]);
    // Asked for twice, begun twice: the second begins when it is its turn, and then says so.
    const [one, two] = [session.generate('a', { length: 5 }), session.generate('a', { length: 5 })];
    await one.next();
    await expect(two.next()).rejects.toMatchObject({ code: 'busy' });
    await one.return();
  });

  it('goes on when an error of its user ended the one before', async () => {
    const session = writer(reference()).session();
    const stop = () => {
      throw new Error('mine');
    };
    await expect(collect(session.generate('a', { stop }))).rejects.toThrow('mine');
    expect(await collect(session.generate('a', { length: 5 }))).toHaveLength(5);
  });

  it('ends with an error when its model is disposed', async () => {
    const model = writer(reference());
    const generation = model.session().generate('a');
    await generation.next();
    model.dispose();
    await expect(collect(generation)).rejects.toMatchObject({ code: 'disposed' });
  });

  it('says what is wrong', () => {
    const model = writer(reference());
    const session = model.session();
    const cases: readonly [() => unknown, string, RegExp][] = [
      [() => session.generate('abX'), 'invalid-text', /'X' \(U\+0058\) at position 2/],
      [() => session.generate(''), 'invalid-argument', /at least one character/],
      [() => session.generate(1 as never), 'invalid-argument', /at least one character/],
      [() => model.session({ batch: 2 }).generate('a'), 'invalid-argument', /batch 1, and this one has 2/],
      [() => session.generate('a', { temprature: 1 } as never), 'invalid-option', /Did you mean 'temperature'/],
      [() => session.generate('a', { temperature: -1 }), 'invalid-option', /'temperature'/],
      [() => session.generate('a', { topP: 0 }), 'invalid-option', /'topP'/],
      [() => session.generate('a', { topK: 1.5 }), 'invalid-option', /'topK'/],
      [() => session.generate('a', { stop: '' }), 'invalid-option', /'stop' must be a text or a function/],
    ];
    for (const [action, code, message] of cases) {
      expect(action).toThrow(expect.objectContaining({ code, message: expect.stringMatching(message) }));
    }
    model.vocabulary = undefined;
    expect(() => model.session().generate('a')).toThrow(/has no vocabulary/);
    model.vocabulary = characterVocabulary('ab');
    expect(() => model.session().generate('a')).toThrow(
      /must read ids below 2 .* this one reads ids below 8 and gives 8/,
    );
  });
});
