import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { sequential } from '../../src/model/sequential.js';
import { layers } from '../../src/network/layers/index.js';
import { onBothEngines, onExactEngines, reference } from '../model/engines.js';

const vocabulary = 7;
const textModel = (engine: Engine) =>
  sequential(
    [
      layers.embedding({ vocabulary, units: 3 }),
      layers.lstm({ units: 5 }),
      layers.gru({ units: 4, dropout: 0.5 }),
      layers.dense({ units: vocabulary }),
    ],
    { seed: 3, engine },
  );
const signalModel = (engine: Engine, ...more: ReturnType<typeof layers.lastStep>[]) =>
  sequential([layers.simpleRnn({ units: 4 }), ...more], { seed: 4, engine, input: { features: 2 } });

const ids = (batch: number, time: number, start = 0) =>
  tensor(
    Int32Array.from({ length: batch * time }, (_, i) => (start + i * i) % vocabulary),
    [batch, time],
  );
/** Step `time` of `[batch, steps, features]`. */
function at({ data, shape }: Tensor, time: number): number[] {
  const [batch, steps, features] = shape as [number, number, number];
  return Array.from({ length: batch }, (_, row) => {
    const from = (row * steps + time) * features;
    return [...data.subarray(from, from + features)];
  }).flat();
}

onExactEngines((engine) => {
  describe('a session', () => {
    it('gives the same bits for many steps at once as for one after another', async () => {
      const model = textModel(engine());
      // 64 + 8 + 1 steps and more: every size of submission, several of them.
      const input = ids(2, 147);
      const together = await model.session({ batch: 2 }).step(input);
      expect(together.shape).toEqual([2, 147, vocabulary]);
      const single = model.session({ batch: 2 });
      for (let time = 0; time < 147; time++) {
        const output = await single.step([input.data[time]!, input.data[147 + time]!]);
        expect(output.shape).toEqual([2, vocabulary]);
        expect([...output.data]).toEqual(at(together, time));
      }
    });

    it('goes on from a state that was taken out, in another session too', async () => {
      const model = textModel(engine());
      const first = model.session();
      await first.step(ids(1, 9));
      const state = await first.state();
      expect(Object.fromEntries(Object.entries(state).map(([name, { shape }]) => [name, shape]))).toEqual({
        'lstm/hidden': [1, 5],
        'lstm/cell': [1, 5],
        'gru/hidden': [1, 4],
      });
      const expected = await first.step(ids(1, 9, 1));
      const second = model.session();
      await second.setState(state);
      expect(await second.step(ids(1, 9, 1))).toEqual(expected);
      await first.setState(state);
      expect(await first.step(ids(1, 9, 1))).toEqual(expected);
    });
  });
});

onBothEngines((engine) => {
  describe('a session', () => {
    it('remembers, and forgets when it is reset', async () => {
      const session = textModel(engine()).session();
      const fresh = await session.step([1]);
      expect(await session.step([1])).not.toEqual(fresh);
      await session.reset();
      expect(await session.step([1])).toEqual(fresh);
    });

    it('keeps its rows apart', async () => {
      const model = textModel(engine());
      const both = await model.session({ batch: 2 }).step(ids(2, 5));
      const second = await model.session().step(tensor(ids(2, 5).data.slice(5), [1, 5]));
      expect(at(both, 4).slice(vocabulary)).toEqual(at(second, 4));
    });

    it('shares the parameters of its model, and nothing else with other sessions', async () => {
      const model = textModel(engine());
      const [one, other] = [model.session(), model.session()];
      const before = await one.step([1]);
      await one.step([2]);
      expect(await other.step([1])).toEqual(before);
      await model.network.setParameter('dense/bias', tensor(new Float32Array(vocabulary).fill(100)));
      await one.reset();
      const after = await one.step([1]);
      for (const [i, score] of after.data.entries()) expect(score).toBeCloseTo(before.data[i]! + 100, 3);
    });

    it('takes steps in the order they were asked for, awaited or not', async () => {
      const model = textModel(engine());
      const [awaited, queued] = [model.session(), model.session()];
      const expected = [await awaited.step(ids(1, 70)), await awaited.step([3]), await awaited.step(ids(1, 9))];
      expect(await Promise.all([queued.step(ids(1, 70)), queued.step([3]), queued.step(ids(1, 9))])).toEqual(expected);
    });

    it('reads vectors', async () => {
      const model = signalModel(engine());
      const x = tensor(
        Float32Array.from({ length: 6 }, (_, i) => Math.sin(i)),
        [1, 3, 2],
      );
      const session = model.session();
      const all = await session.step(x);
      expect(all.shape).toEqual([1, 3, 4]);
      await session.reset();
      expect([...(await session.step([...x.data.slice(0, 2)])).data]).toEqual(at(all, 0));
    });

    it('gives the last step only, where the model does', async () => {
      const x = tensor(
        Float32Array.from({ length: 2 * 70 }, (_, i) => Math.sin(i)),
        [1, 70, 2],
      );
      const all = await signalModel(engine()).session().step(x);
      const last = await signalModel(engine(), layers.lastStep()).session().step(x);
      expect(last.shape).toEqual([1, 4]);
      expect([...last.data]).toEqual(at(all, 69));
    });
  });

  describe('predict', () => {
    it('starts every sequence from zero, whatever sessions have done', async () => {
      const model = textModel(engine());
      const expected = await model.session({ batch: 2 }).step(ids(2, 8));
      await model.session().step(ids(1, 8));
      expect(await model.predict(ids(2, 8))).toEqual(expected);
      expect(await model.predict(ids(2, 8))).toEqual(expected);
    });

    it('gives the same bits however many rows are computed at once', async () => {
      const model = textModel(engine());
      const all = await model.predict(ids(5, 4));
      expect(all.shape).toEqual([5, 4, vocabulary]);
      expect(await model.predict(ids(5, 4), { batch: 2 })).toEqual(all);
    });

    it('works for models that read no sequences', async () => {
      const model = sequential([layers.dense({ units: 3, activation: 'softmax' })], {
        engine: engine(),
        input: { features: 2, sequence: false },
      });
      const { data, shape } = await model.predict(tensor([1, 2, 3, 4], [2, 2]));
      expect(shape).toEqual([2, 3]);
      for (const row of [0, 1]) expect(data[3 * row]! + data[3 * row + 1]! + data[3 * row + 2]!).toBeCloseTo(1, 6);
    });
  });
});

describe('a session says what is wrong:', () => {
  const model = textModel(reference());

  it('shapes and ids', async () => {
    const session = model.session({ batch: 2 });
    await expect(session.step([1])).rejects.toThrow(/expected the shape \[2, time\] or \[2\], got \[1\]/);
    await expect(session.step([1, 7])).rejects.toThrow(/id 7 in row 1 is outside the vocabulary/);
    await expect(model.predict(ids(1, 4).data as never)).rejects.toThrow(/\[batch, time\], got \[4\]/);
    const before = await session.state();
    await expect(session.step(tensor(new Int32Array(200).fill(1).fill(9, 199), [2, 100]))).rejects.toThrow(/id 9/);
    // Found before anything ran.
    expect(await session.state()).toEqual(before);
  });

  it('options', () => {
    expect(() => model.session({ batsh: 2 } as never)).toThrow(/Did you mean 'batch'/);
    expect(() => model.session({ batch: 0 })).toThrow(expect.objectContaining({ code: 'invalid-option' }));
    const rows = sequential([layers.dense({ units: 1 })], {
      engine: reference(),
      input: { features: 1, sequence: false },
    });
    expect(() => rows.session()).toThrow(/reads no sequences/);
  });

  it('states that are missing, unknown, misshapen or not finite', async () => {
    const session = model.session();
    const state = await session.state();
    const { 'gru/hidden': gru, ...rest } = state;
    await expect(session.setState(rest)).rejects.toThrow(/'gru\/hidden' is missing/);
    await expect(session.setState({ ...rest, 'gru/hiden': gru! })).rejects.toThrow(/Did you mean 'gru\/hidden'/);
    await expect(session.setState({ ...rest, 'gru/hidden': tensor(new Float32Array(8), [2, 4]) })).rejects.toThrow(
      /\[1, 4\], got \[2, 4\]/,
    );
    await expect(
      session.setState({ ...rest, 'gru/hidden': tensor([1, Number.NaN, 0, 0], [1, 4]) }),
    ).rejects.toMatchObject({ code: 'not-finite' });
    const short = { dtype: 'f32', shape: [1, 4], data: new Float32Array(9) } as const;
    await expect(session.setState({ ...rest, 'gru/hidden': short })).rejects.toThrow(/holds 9 elements/);
    expect(await session.state()).toEqual(state);
  });

  it('use after dispose', async () => {
    const other = textModel(reference());
    const session = other.session();
    const last = session.step([1]);
    session.dispose();
    session.dispose();
    await last;
    await expect(session.step([1])).rejects.toMatchObject({ code: 'disposed' });
    await expect(session.reset()).rejects.toMatchObject({ code: 'disposed' });
    await expect(session.state()).rejects.toMatchObject({ code: 'disposed' });
    expect(() => session.generate('a')).toThrow(expect.objectContaining({ code: 'disposed' }));
    const open = other.session();
    other.dispose();
    await expect(open.step([1])).rejects.toMatchObject({ code: 'disposed' });
    await expect(other.predict(ids(1, 1))).rejects.toMatchObject({ code: 'disposed' });
    await expect(other.parameters()).rejects.toMatchObject({ code: 'disposed' });
    expect(() => other.session()).toThrow(expect.objectContaining({ code: 'disposed' }));
  });
});
