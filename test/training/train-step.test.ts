/** What a step consists of: options that are not used cost nothing, and those that are what they say. */
import { describe, expect, it } from 'vitest';
import { printProgram } from '../../src/compute/compiler.js';
import type { Program } from '../../src/compute/program.js';
import { constraints } from '../../src/network/constraints.js';
import { updaters } from '../../src/network/updaters/index.js';
import { updater } from '../../src/network/updaters/updater.js';
import { batchShape } from '../../src/training/batch-shape.js';
import { type RuleOptions, trainingRule } from '../../src/training/rule.js';
import type { StepKind } from '../../src/training/rule-scalars.js';
import { trainStep } from '../../src/training/train-step.js';
import { exact, native } from '../network/engines.js';
import { data, language, loss } from './language.js';
import { probe } from './weights-probe.js';

type Options = Partial<RuleOptions>;

function programOf(options: Options, kind: StepKind = 'update'): Program {
  const network = language(exact);
  const [batch] = data(1);
  const shape = { ...batchShape(network, loss, batch!), initialStates: 'zero' as const };
  return trainStep(network, trainingRule(network, { loss, updater: updaters.adam(), ...options }), shape, kind);
}

/** The map that updates the parameters: what it reads, and how many instructions its expression has. */
function updateOf({ instructions, names }: Program) {
  const update = instructions.find(({ operation, outputs }) => operation === 'map' && outputs.length > 3)!;
  return { reads: update.inputs.map((buffer) => names[buffer]), length: update.words[5] };
}

/** Operations that a step has more of than one without options. */
function added(options: Options, kind?: StepKind): Record<string, number> {
  const counts = new Map<string, number>();
  for (const { operation } of programOf(options, kind).instructions) {
    counts.set(operation, (counts.get(operation) ?? 0) + 1);
  }
  for (const { operation } of programOf({}).instructions) counts.set(operation, (counts.get(operation) ?? 0) - 1);
  return Object.fromEntries([...counts].filter(([, count]) => count !== 0));
}

const plainReads = [
  ...['parameters', '%8', 'loss', 'completed', 'sequence', 'adam.firstMoment', 'adam.secondMoment'],
  ...['adam.rate', 'adam.offset'],
];

describe('a step', () => {
  it('without options reads and computes what the updater needs and no more', () => {
    const program = programOf({});
    expect(updateOf(program), printProgram(program)).toEqual({ reads: plainReads, length: 10 });
    const sgd = updateOf(programOf({ updater: updaters.adam({ learningRate: 1 }) }));
    expect(sgd).toEqual(updateOf(program));
  });

  it('with options of the value that changes nothing is the one without', () => {
    const same = programOf({
      regularization: { l1: 0, l2: { bias: 0 }, decay: 0 },
      layers: { gru: { learningRate: 1, trainable: true } },
      accumulate: 1,
      constraints: {},
    });
    expect(printProgram(same)).toBe(printProgram(programOf({})));
  });

  it('what is the same for all parameters is a constant, what differs an array in the same map', () => {
    const everywhere = { kernel: 0.1, recurrent: 0.1, bias: 0.1, embedding: 0.1 };
    expect(added({ regularization: { l2: everywhere, decay: everywhere } })).toEqual({});
    expect(updateOf(programOf({ regularization: { l2: everywhere } })).reads).toEqual(plainReads);
    expect(added({ regularization: { l2: 0.1 }, layers: { gru: { learningRate: 0.1 } } })).toEqual({});
    const { reads } = updateOf(programOf({ regularization: { l2: 0.1 }, layers: { gru: { learningRate: 0.1 } } }));
    expect(reads).toEqual(expect.arrayContaining([...plainReads, 'l2.0', 'learningRate.0']));
    expect(reads).toHaveLength(plainReads.length + 2);
  });

  it('noise, averages and accumulation take an instruction at most', () => {
    expect(added({ gradientNoise: {} })).toEqual({ random: 1 });
    const averaging = { average: { kind: 'stochastic' } } as const;
    expect(added(averaging, 'averaged update')).toEqual({});
    expect(updateOf(programOf(averaging, 'averaged update')).reads).toContain('average');
    expect(updateOf(programOf(averaging, 'update'))).toEqual(updateOf(programOf({})));
    expect(added({ accumulate: 2 })).toEqual({ map: 1 });
    expect(added({ accumulate: 2 }, 'accumulation')).toEqual({});
  });

  it('constraints and norms of parts take instructions for each part', () => {
    const only = { layers: { gru: { constraints: constraints.maxNorm() } } };
    // Two kernels, each a sum and a product; and six parameters that are written behind it, one by one.
    expect(added(only)).toMatchObject({ reduce: 2, map: 2 });
    expect(added({ clip: { layerNorm: 1 } })).toMatchObject({ reduce: 3, map: 3 });
  });
});

describe.each([
  ['reference', exact],
  ['native', native],
] as const)('a step whose loss is not a number, %s', (_, engine) => {
  const deaf = updater('deaf', { step: ({ gradient }) => ({ change: gradient.less(0).select(-0.5, 0.5) }) });
  it.skipIf(!engine)('is refused by updaters that take no notice of NaN, too', async () => {
    for (const rule of [deaf(), updaters.noOp()]) {
      const on = await probe(engine!, { first: { kernel: [1, 2] } }, Float64Array.of(1, 2), { updater: rule });
      await expect(on.step(Float64Array.of(Number.NaN, 1))).rejects.toMatchObject({ code: 'not-finite' });
      expect([...(await on.parameters())]).toEqual([1, 2]);
      await on.step(Float64Array.of(3, 1));
      expect([...(await on.parameters())]).toEqual(rule.name === 'deaf' ? [0.5, 1.5] : [1, 2]);
      // So is one behind it in the queue.
      const [bad, behind] = await Promise.allSettled([
        on.step(Float64Array.of(Number.NaN, 1)),
        on.step(Float64Array.of(3, 1)),
      ]);
      expect([bad, behind]).toMatchObject([{ reason: { code: 'not-finite' } }, { reason: { code: 'aborted' } }]);
      expect([...(await on.parameters())]).toEqual(rule.name === 'deaf' ? [0.5, 1.5] : [1, 2]);
      on.dispose();
    }
  });
});
