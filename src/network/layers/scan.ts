/** A recurrent layer around a cell of the user's own. */
import * as v from 'valibot';
import { input as inputPort, type Value } from '../../compute/graph.js';
import { filled, oneHot } from '../../compute/operations/index.js';
import { scan as scanOperation } from '../../compute/scan.js';
import { type Shape, sameShape } from '../../compute/tensor.js';
import { MnemeError } from '../../errors.js';
import { nearestName, parseOptions, wholeNumber } from '../../options.js';
import { type Cell, type CellOptions, isCell } from '../cell.js';
import { CellValue } from '../cell-value.js';
import { type Layer, type ParameterSpecification, printSignal, type Signal } from './layer.js';
import { livingSteps } from './living-rows.js';
import { parameter } from './parameter.js';

const schema = v.strictObject({
  cell: v.custom<Cell>(isCell, ({ input }) =>
    typeof input === 'string'
      ? `what cell() makes (a model file holds its name only: give loadModel the cell '${input}' among its cells)`
      : 'what cell() makes',
  ),
  units: wholeNumber(1),
  options: v.optional(v.record(v.string(), v.union([v.number(), v.string(), v.boolean()])), {}),
});
export type ScanOptions = v.InferInput<typeof schema>;

/**
 * A cell of your own (`cell`) over a sequence: `[batch, time, features]`, or ids as if one-hot, become
 * `[batch, time, outputs]`, whatever the width of the cell's output is. Parameters and states are the cell's. Where a row does
 * not live, its states stay as they are, and so does an output that is one of them; any other output is 0 there.
 *
 * @param options
 * - `cell`: what `cell` made
 * - `units`: given to the cell's functions
 * - `options`: those of the cell that are not to have their defaults
 * @throws {MnemeError} `invalid-option`; `invalid-shape`, when the layer becomes part of a network, if the cell's step does not
 *   fit together
 * @example
 * layers.scan({ cell: lightCell, units: 64 });
 */
export function scan(options: ScanOptions): Layer {
  const settings = parseOptions(schema, options, 'layers.scan');
  const { cell, units } = settings;
  const { parameters, states, step } = cell.description;
  const sizes = { ...optionsOf(cell, settings.options), units };
  const stateNames = Object.keys(states(sizes));

  /** The values of one step, checked. */
  const apply = (given: Readonly<Record<string, Value>>, before: readonly Value[], x: Value) => {
    const wrapped = (values: Readonly<Record<string, Value>>) =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, new CellValue(value)]));
    const named = Object.fromEntries(stateNames.map((name, index) => [name, before[index]!]));
    const made = step(wrapped(given), wrapped(named), new CellValue(x), sizes);
    const resultOf = (name: string) => {
      const value: unknown = made?.[name];
      if (value instanceof CellValue) return value.value;
      throw new MnemeError('invalid-argument', `cell '${cell.name}': its step must give a value as '${name}'.`);
    };
    return { output: resultOf('output'), states: stateNames.map(resultOf) };
  };

  return {
    kind: 'scan',
    options: settings,
    signal: (signal) => {
      if (!signal.sequence) throw new MnemeError('invalid-shape', `expected a sequence, got ${printSignal(signal)}.`);
      return { kind: 'vectors', features: outputWidth(cell, sizes, widthOf(signal), apply), sequence: true };
    },
    parameters: (signal) =>
      Object.fromEntries(
        Object.entries(parameters(sizes, widthOf(signal))).map(([name, described]) => [name, specified(described)]),
      ),
    states: () => states(sizes),
    apply: (context, signal) => {
      const batch = context.input.shape[1]!;
      const initial = Object.entries(states(sizes)).map(
        ([name, shape]) => context.states[name] ?? filled(0, [batch, ...shape]),
      );
      const sequence = signal.kind === 'ids' ? oneHot(context.input, signal.vocabulary) : context.input;
      let givenOut = -1;
      const result = scanOperation({
        sequences: [sequence],
        initial,
        mask: livingSteps(context, sequence.shape[0]!),
        step: ([x], before) => {
          const { output, states: next } = apply(context.parameters, before, x!);
          givenOut = next.indexOf(output);
          return { outputs: [output], states: next };
        },
      });
      const last = result.states[givenOut];
      return {
        output: result.outputs[0]!,
        states: Object.fromEntries(stateNames.map((name, index) => [name, result.states[index]!])),
        ...(last ? { last } : {}),
      };
    },
  };
}

const widthOf = (signal: Signal): number => (signal.kind === 'ids' ? signal.vocabulary : signal.features);

function optionsOf(cell: Cell, given: CellOptions): CellOptions {
  const known = cell.description.options ?? {};
  for (const name of Object.keys(given)) {
    if (name in known) continue;
    const names = Object.keys(known);
    const hint = names.length > 0 ? ` Did you mean '${nearestName(name, names)}'?` : ' It has none.';
    throw new MnemeError('invalid-option', `layers.scan: the cell '${cell.name}' has no option '${name}'.${hint}`);
  }
  return { ...known, ...given };
}

function specified(described: ReturnType<Cell['description']['parameters']>[string]): ParameterSpecification {
  const settings = 'shape' in described ? described : { shape: described as Shape };
  const isVector = settings.shape.length === 1;
  const { shape, group = isVector ? 'bias' : 'kernel', initializer = isVector ? 'zeros' : 'xavierUniform' } = settings;
  return parameter(group, shape, initializer, settings.gates ?? 1);
}

/** The features of what the step gives out for rows of `features`; the step is looked at with so many rows as nothing else has. */
function outputWidth(
  cell: Cell,
  sizes: CellOptions & { readonly units: number },
  features: number,
  apply: (
    given: Readonly<Record<string, Value>>,
    before: readonly Value[],
    x: Value,
  ) => { readonly output: Value; readonly states: readonly Value[] },
): number {
  const rows = 99_991;
  const { parameters, states } = cell.description;
  const shapes = Object.entries(states(sizes)).map(([name, shape]) => [name, [rows, ...shape]] as const);
  const given = Object.fromEntries(
    Object.entries(parameters(sizes, features)).map(([name, described]) => [
      name,
      inputPort(name, specified(described).shape, 'f32'),
    ]),
  );
  const print = (shape: Shape) => `[${shape.map((extent) => (extent === rows ? 'batch' : extent)).join(', ')}]`;
  const before = shapes.map(([name, shape]) => inputPort(name, shape, 'f32'));
  const { output, states: after } = apply(given, before, inputPort('input', [rows, features], 'f32'));
  for (const [index, [name, shape]] of shapes.entries()) {
    if (sameShape(after[index]!.shape, shape)) continue;
    throw new MnemeError(
      'invalid-shape',
      `the cell '${cell.name}' gives ${print(after[index]!.shape)} as its state '${name}', expected ${print(shape)}.`,
    );
  }
  if (output.shape.length === 2 && output.shape[0] === rows) return output.shape[1]!;
  throw new MnemeError(
    'invalid-shape',
    `the cell '${cell.name}' gives out ${print(output.shape)}, expected [batch, features].`,
  );
}
