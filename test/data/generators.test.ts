/** The generators: form, statistics, and what a seed stands for. */
import { describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/compute/tensor.js';
import { arrays } from '../../src/data/arrays.js';
import type { Examples } from '../../src/data/generators/examples.js';
import { generators } from '../../src/data/generators/index.js';
import { mackeyGlassSeries } from '../../src/data/generators/mackey-glass.js';
import { reberSymbols } from '../../src/data/generators/reber.js';
import { temporalOrderSymbols } from '../../src/data/generators/temporal-order.js';

const rowsOf = ({ data, shape }: Tensor): number[][] => {
  const width = data.length / shape[0]!;
  return Array.from({ length: shape[0]! }, (_, row) => Array.from(data.subarray(row * width, (row + 1) * width)));
};
const mean = (numbers: readonly number[]): number => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
/** Five standard deviations of the mean of so many draws: one in two million lies outside. */
const bound = (deviation: number, count: number): number => (5 * deviation) / Math.sqrt(count);
/** Each string without its last symbol, read back from its one-hot rows; behind its end all is 0. */
const stringsOf = ({ inputs, mask }: { readonly inputs: Tensor; readonly mask: Tensor }): string[] => {
  const masks = rowsOf(mask);
  return rowsOf(inputs).map((row, example) => {
    const living = masks[example]!.filter((weight) => weight === 1).length;
    const ones = row.flatMap((value, index) =>
      value === 0 ? [] : [[value, Math.floor(index / 7), index % 7] as const],
    );
    expect(ones.map(([value, step]) => [value, step])).toEqual(Array.from({ length: living }, (_, step) => [1, step]));
    return ones.map(([, , symbol]) => reberSymbols[symbol]).join('');
  });
};
const setOf = (row: readonly number[], step: number): string =>
  [...reberSymbols].filter((_, symbol) => row[step * 7 + symbol] === 1).join('');

describe('every generator', () => {
  const made: Readonly<Record<keyof typeof generators, (examples: number, seed: number) => Examples>> = {
    adding: (examples, seed) => generators.adding({ examples, seed, time: 20 }),
    copying: (examples, seed) => generators.copying({ examples, seed }),
    embeddedReber: (examples, seed) => generators.embeddedReber({ examples, seed }),
    mackeyGlass: (examples, seed) => generators.mackeyGlass({ examples, seed }),
    noisySine: (examples, seed) => generators.noisySine({ examples, seed }),
    parity: (examples, seed) => generators.parity({ examples, seed }),
    reber: (examples, seed) => generators.reber({ examples, seed }),
    temporalOrder: (examples, seed) => generators.temporalOrder({ examples, seed }),
  };

  it.each(Object.keys(made) as (keyof typeof generators)[])('%s repeats itself for a seed and no other', (name) => {
    const examples = made[name](4, 1);
    expect(made[name](4, 1)).toEqual(examples);
    expect(made[name](4, 2).inputs.data).not.toEqual(examples.inputs.data);
    expect(new Set(rowsOf(examples.inputs).map(String)).size).toBeGreaterThan(2);
    expect([...arrays({ ...examples, batch: 3 }).epoch(0)].map(({ inputs }) => inputs.shape[0])).toEqual([3, 1]);
    expect(() => made[name](0, 1)).toThrow(
      `generators.${name}: option 'examples' must be a whole number of at least 1`,
    );
    expect(() => made[name](2 ** 40, 1)).toThrow(/are more than 134217728 numbers\. Ask for fewer examples/);
  });

  it.each(['adding', 'parity', 'noisySine', 'mackeyGlass'] as const)(
    '%s begins with the same examples, however many are asked for',
    (name) => {
      expect(rowsOf(made[name](5, 1).inputs).slice(0, 2)).toEqual(rowsOf(made[name](2, 1).inputs));
    },
  );
});

describe('Reber strings', () => {
  it('are words of the grammar, with both ways taken equally often', () => {
    const given = generators.reber({ examples: 2000, seed: 3 });
    const strings = stringsOf(given);
    // The automaton as a regular expression, last symbol left out: from the upper way by X into the lower, and from there by PX around.
    const word = /^B(TS*X(S|XT*V(PXT*V)*(PS|V))|PT*V(PXT*V)*(PS|V))$/;
    expect(strings.filter((string) => !word.test(string))).toEqual([]);
    expect(Math.abs(mean(strings.map((string) => Number(string[1] === 'T'))) - 0.5)).toBeLessThan(bound(0.5, 2000));
    expect(Math.min(...strings.map(({ length }) => length))).toBe(4);
    expect(given.inputs.shape[1]).toBe(Math.max(...strings.map(({ length }) => length)));
  });

  it('have the symbols as targets that could come next', () => {
    const given = generators.reber({ examples: 2000, seed: 4 });
    const strings = stringsOf(given);
    const targets = rowsOf(given.targets);
    const sets = (string: string) => {
      const row = targets[strings.indexOf(string)]!;
      return Array.from(string, (_, step) => setOf(row, step));
    };
    expect(sets('BTXS')).toEqual(['TP', 'SX', 'SX', 'E']);
    expect(sets('BPTVPS')).toEqual(['TP', 'TV', 'TV', 'PV', 'SX', 'E']);
    for (const [example, string] of strings.entries()) {
      const outside = [...string].slice(1).filter((symbol, step) => !setOf(targets[example]!, step).includes(symbol));
      expect(outside).toEqual([]);
    }
  });

  it('when embedded end as they began, and only that is allowed', () => {
    const given = generators.embeddedReber({ examples: 1000, seed: 5 });
    const targets = rowsOf(given.targets);
    for (const [example, string] of stringsOf(given).entries()) {
      expect(string).toMatch(/^B([TP])B.+E\1$/);
      expect(setOf(targets[example]!, 0)).toBe('TP');
      expect(setOf(targets[example]!, string.length - 2)).toBe(string[1]);
      expect(setOf(targets[example]!, string.length - 1)).toBe('E');
      expect(string.length).toBeGreaterThanOrEqual(8);
    }
  });
});

describe('adding', () => {
  it('marks one number of each half, whose sum is the target', () => {
    const { inputs, targets } = generators.adding({ examples: 5000, time: 11, seed: 1 });
    const sums = [...targets.data];
    for (const [example, row] of rowsOf(inputs).entries()) {
      const numbers = row.filter((_, index) => index % 2 === 0);
      const marks = row.filter((_, index) => index % 2 === 1);
      expect([marks.slice(0, 5), marks.slice(5)].map((half) => half.reduce((a, b) => a + b))).toEqual([1, 1]);
      expect(numbers.reduce((sum, x, step) => sum + x * marks[step]!, 0)).toBeCloseTo(sums[example]!, 6);
    }
    // Variance of the sum of two uniform numbers; its own estimate deviates by sqrt((E(x-1)^4 - 1/36) / n), E(x-1)^4 = 1/15.
    const error = mean(sums.map((sum) => (sum - 1) ** 2));
    expect(Math.abs(error - 1 / 6)).toBeLessThan(bound(Math.sqrt(1 / 15 - 1 / 36), 5000));
  });
});

describe('temporal order', () => {
  it('has two telling symbols in their ranges, noise elsewhere, and the class at the trigger', () => {
    const given = generators.temporalOrder({ examples: 1000, seed: 1 });
    expect(given.inputs.shape).toEqual([1000, 110]);
    const [targets, masks] = [rowsOf(given.targets), rowsOf(given.mask)];
    const lengths = rowsOf(given.inputs).map((row, example) => {
      const string = row.map((id) => temporalOrderSymbols[id]).join('');
      expect(string).toMatch(/^E[abcd]{9,19}[XY][abcd]{29,49}[XY][abcd]+Ba*$/);
      const [first = 0, second = 0] = [...string.matchAll(/[XY]/g)].map(({ index }) => index);
      expect([first >= 10 && first <= 20, second >= 50 && second <= 60]).toEqual([true, true]);
      const last = string.indexOf('B');
      expect(masks[example]!.flatMap((weight, step) => (weight === 0 ? [] : [[step, weight]]))).toEqual([[last, 1]]);
      expect(['XX', 'XY', 'YX', 'YY'][targets[example]![last]!]).toBe(string[first]! + string[second]);
      return last + 1;
    });
    expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([100, 110]);
  });
});

describe('copying', () => {
  it('wants the symbols again behind the delimiter', () => {
    const { inputs, targets } = generators.copying({ examples: 200, delay: 7, symbols: 3, seed: 1 });
    for (const [example, row] of rowsOf(inputs).entries()) {
      const symbols = row.slice(0, 3);
      expect(row).toEqual([...symbols, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0]);
      expect(rowsOf(targets)[example]).toEqual([...Array(10).fill(0), ...symbols]);
      expect(symbols.every((id) => id >= 1 && id <= 8)).toBe(true);
    }
    const said = rowsOf(inputs).flatMap((row) => row.slice(0, 3));
    // Uniform over 1..8: variance 63/12.
    expect(Math.abs(mean(said) - 4.5)).toBeLessThan(bound(Math.sqrt(63 / 12), 600));
  });
});

describe('parity', () => {
  it('tells at each step whether the ones so far are odd', () => {
    const { inputs, targets } = generators.parity({ examples: 100, time: 30, seed: 1 });
    for (const [example, row] of rowsOf(inputs).entries()) {
      const counts = row.map((_, step) => row.slice(0, step + 1).filter((bit) => bit === 1).length % 2);
      expect(rowsOf(targets)[example]).toEqual(counts);
    }
    expect(Math.abs(mean([...inputs.data]) - 0.5)).toBeLessThan(bound(0.5, 3000));
  });
});

describe('noisy sine', () => {
  it('has the wave of the next step as target, and normal noise on what it shows', () => {
    const given = { examples: 100, time: 60, period: 12, seed: 1 };
    const { inputs, targets } = generators.noisySine({ ...given, noise: 0.3 });
    const still = generators.noisySine({ ...given, noise: 0 });
    const [shown, quiet] = [[...inputs.data], [...still.inputs.data]];
    expect(targets.data).toEqual(still.targets.data);
    for (const [example, row] of rowsOf(still.inputs).entries()) {
      expect(rowsOf(targets)[example]!.slice(0, -1)).toEqual(row.slice(1));
      for (let step = 12; step < 60; step++) expect(row[step]).toBeCloseTo(row[step - 12]!, 5);
    }
    const noise = shown.map((x, index) => (x - quiet[index]!) / 0.3);
    expect(Math.abs(mean(noise))).toBeLessThan(bound(1, 6000));
    expect(Math.abs(mean(noise.map((x) => x * x)) - 1)).toBeLessThan(bound(Math.SQRT2, 6000));
  });
});

describe('Mackey-Glass', () => {
  const settings = { tau: 17, history: 1.2, stepsOfUnit: 10 };

  it('follows the solution of the equation while the delayed value is constant', () => {
    // Up to τ the equation is x' = c - x/10, c = 0.24 / (1 + 1.2^10).
    const rest = (10 * 0.24) / (1 + 1.2 ** 10);
    for (const [time, x] of mackeyGlassSeries(18, settings).entries()) {
      expect(Math.abs(x - (rest + (1.2 - rest) * Math.exp(-time / 10)))).toBeLessThan(1e-9);
    }
  });

  it('is of fourth order: half the step has a sixteenth of the error', () => {
    const at = (stepsOfUnit: number) => mackeyGlassSeries(61, { ...settings, stepsOfUnit })[60]!;
    const exact = at(160);
    const ratio = (at(5) - exact) / (at(10) - exact);
    expect(ratio).toBeGreaterThan(12);
    expect(ratio).toBeLessThan(20);
    expect(Math.abs(at(10) - exact)).toBeLessThan(1e-6);
  });

  it('gives what comes later as target, within the attractor', () => {
    const { inputs, targets } = generators.mackeyGlass({ examples: 20, time: 200, horizon: 6, seed: 1 });
    for (const [example, row] of rowsOf(inputs).entries()) {
      expect(rowsOf(targets)[example]!.slice(0, -6)).toEqual(row.slice(6));
    }
    const values = [...inputs.data];
    expect(Math.min(...values)).toBeGreaterThan(0.2);
    expect(Math.max(...values)).toBeLessThan(1.4);
    expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(0.8);
  });
});
