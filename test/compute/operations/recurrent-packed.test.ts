/**
 * Rows of unequal lengths agree with PyTorch's packed sequences: outputs, final states and every gradient, in one direction and,
 * by reversed sequences, in both.
 */
import { describe, expect, it } from 'vitest';
import type { Expression } from '../../../src/compute/expression.js';
import type { Value } from '../../../src/compute/graph.js';
import {
  type CellActivation,
  concatenate,
  permuteRows,
  recurrent,
  reverseSequence,
  sortRows,
} from '../../../src/compute/operations/index.js';
import { type Tensor, tensor } from '../../../src/compute/tensor.js';
import { exact, native } from '../../network/engines.js';
import { evaluateGraph, incomingGradients, type Values } from '../../network/evaluate-graph.js';
import { checker, fixtureCases, fixturesAbsent, fixtureTensors, transposed } from '../../network/fixtures.js';
import { parametersOf, partOf, type RecurrentOptions } from '../../network/pytorch-parameters.js';

type PackedOptions = RecurrentOptions & {
  readonly T: number;
  readonly layers: number;
  readonly bidirectional: boolean;
  readonly states: boolean;
  readonly proj_size?: number;
};

const sigmoid: CellActivation = { kind: 1, expression: (x: Expression) => x.sigmoid() };
const tanh: CellActivation = { kind: 2, expression: (x: Expression) => x.tanh() };
const relu: CellActivation = { kind: 3, expression: (x: Expression) => x.max(0) };
const cellOf = { RNN: 'simple', LSTM: 'lstm', GRU: 'gru' } as const;

/** One direction of one layer: its number among all, and PyTorch's name for it. */
const directionsOf = ({ layers, bidirectional }: PackedOptions) =>
  Array.from({ length: layers }, (_, layer) => (bidirectional ? ['', '_reverse'] : ['']).map((end) => ({ layer, end })))
    .flat()
    .map(({ layer, end }, index) => ({ layer, backwards: end !== '', index, suffix: `_l${layer}${end}` }));

/** The weights of all directions, or their gradients, as `kernel_l0`, `bias_l0_reverse`, ... */
function weightsOf(options: PackedOptions, tensors: Record<string, Tensor>, prefix: 'param.' | 'grad.') {
  return Object.fromEntries(
    directionsOf(options).flatMap(({ suffix }) => {
      const own = parametersOf(options, tensors, prefix, suffix);
      const projection = tensors[`${prefix}weight_hr${suffix}`];
      const all = { ...own, ...(projection ? { projection: transposed(projection) } : {}) };
      return Object.entries(all).map(([name, value]) => [`${name}${suffix}`, value] as const);
    }),
  );
}

/** Runs all layers on rows in the caller's order. */
function layersOf(options: PackedOptions, values: Values) {
  const { module, nonlinearity, T } = options;
  const { order, lengths } = sortRows(values.lengths!, T);
  const finals: { hidden: Value; cell: Value | undefined }[] = [];
  let input = values.x!;
  for (let layer = 0; layer < options.layers; layer++) {
    const directions = directionsOf(options).filter((direction) => direction.layer === layer);
    const outputs = directions.map(({ suffix, index, backwards }) => {
      const turned = (x: Value) => (backwards ? reverseSequence(x, values.lengths) : x);
      const state = (letter: string) => {
        const given = values[`${letter}0_${index}`];
        return given && permuteRows(given, order, { axis: 0 });
      };
      const { output, finalHidden, finalCell } = recurrent({
        cell: cellOf[module],
        input: permuteRows(turned(input), order, { axis: 1 }),
        kernel: values[`kernel${suffix}`]!,
        recurrentKernel: values[`recurrentKernel${suffix}`]!,
        bias: values[`bias${suffix}`],
        recurrentBias: values[`recurrentBias${suffix}`],
        projection: values[`projection${suffix}`],
        initialHidden: state('h'),
        initialCell: state('c'),
        resetAfter: module === 'GRU',
        lengths,
        gateActivation: sigmoid,
        activation: nonlinearity === 'relu' ? relu : tanh,
        training: true,
      });
      const back = (x: Value, axis: 0 | 1) => permuteRows(x, order, { axis, inverse: true });
      finals.push({ hidden: back(finalHidden, 0), cell: finalCell && back(finalCell, 0) });
      return turned(back(output, 1));
    });
    input = outputs.length > 1 ? concatenate(outputs, 2) : outputs[0]!;
  }
  return { output: input, finals };
}

const cases = fixtureCases('pytorch', 'packed');
const engines = [
  ['reference in double precision', exact],
  ['native', native],
] as const;

describe.skipIf(fixturesAbsent('pytorch'))('packed sequences as PyTorch computes them', () => {
  it('all of them', () => expect(cases).toHaveLength(13));

  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(cases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
        const options = fixture.options as unknown as PackedOptions;
        const tensors = fixtureTensors('pytorch', fixture);
        const check = checker(fixture, engine!);
        const numbers = directionsOf(options).map(({ index }) => index);
        const letters = ['h', 'c'].filter((letter) => tensors[`${letter}n`]);
        const each = (of: (letter: string, index: number) => readonly [string, Tensor | undefined]) =>
          Object.fromEntries(
            letters.flatMap((letter) => numbers.map((index) => of(letter, index))).filter(([, value]) => value),
          ) as Record<string, Tensor>;
        const part = (name: string, index: number) => tensors[name] && partOf(tensors[name], index);
        const weights = weightsOf(options, tensors, 'param.');
        const states = each((letter, index) => [`${letter}0_${index}`, part(`${letter}0`, index)]);
        const given = {
          x: paddedWithNaN(tensors.x!, tensors.lengths!),
          dy: paddedWithNaN(tensors.dy!, tensors.lengths!),
          lengths: tensors.lengths!,
          ...weights,
          ...states,
          ...each((letter, index) => [`d${letter}n_${index}`, part(`d${letter}n`, index)]),
        };
        const got = await evaluateGraph(engine!, given, (ports) => {
          const { output, finals } = layersOf(options, ports);
          const pairs = finals.flatMap(({ hidden, cell }, index) => [
            [hidden, ports[`dhn_${index}`]!] as const,
            ...(cell ? [[cell, ports[`dcn_${index}`]!] as const] : []),
          ]);
          const varied = Object.keys({ x: 0, ...weights, ...states });
          return {
            y: output,
            ...Object.fromEntries(finals.map(({ hidden }, index) => [`hn_${index}`, hidden])),
            ...Object.fromEntries(finals.flatMap(({ cell }, index) => (cell ? [[`cn_${index}`, cell]] : []))),
            ...incomingGradients(
              // Twice reversed, what is behind the ends is zero: the sum of products looks at it too.
              [[output, reverseSequence(reverseSequence(ports.dy!, ports.lengths), ports.lengths)], ...pairs],
              Object.fromEntries(varied.map((name) => [name, ports[name]!])),
            ),
          };
        });
        check('y', 'output', got.y!, tensors.y!);
        for (const [name, want] of Object.entries(
          each((letter, index) => [`${letter}n_${index}`, part(`${letter}n`, index)]),
        )) {
          check(name, 'output', got[name]!, want);
        }
        const gradients = {
          x: tensors['grad.x']!,
          ...weightsOf(options, tensors, 'grad.'),
          ...each((letter, index) => [`${letter}0_${index}`, part(`grad.${letter}0`, index)]),
        };
        for (const [name, want] of Object.entries(gradients)) {
          check(`gradient of ${name}`, 'gradient', got[`gradient of ${name}`]!, want);
        }
      });
    });
  }
});

/** `[time, batch, ...]` with NaN behind the end of each row. */
function paddedWithNaN({ data, shape }: Tensor, lengths: Tensor): Tensor {
  const [, batch, inner] = shape as [number, number, number];
  const living = (row: number) => Math.floor(row / batch) < lengths.data[row % batch]!;
  return tensor(
    Float64Array.from(data, (x, index) => (living(Math.floor(index / inner)) ? x : Number.NaN)),
    shape,
  );
}
