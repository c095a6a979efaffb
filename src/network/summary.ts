/** What a network consists of and what a step of it costs, before anything is run. */

import * as v from 'valibot';
import { compile, printBytes, printFlops } from '../compute/compiler.js';
import { gradients } from '../compute/gradients.js';
import { stored } from '../compute/graph.js';
import { reduceSum } from '../compute/operations/index.js';
import type { Shape } from '../compute/tensor.js';
import { parseOptions, wholeNumber } from '../options.js';
import type { Signal } from './layers/layer.js';
import type { NetworkContract } from './network.js';

const schema = v.strictObject({
  batch: wholeNumber(1),
  time: v.optional(wholeNumber(1)),
  tokens: v.optional(wholeNumber(0)),
});
export type SummaryOptions = v.InferInput<typeof schema>;

export interface Summary {
  readonly layers: readonly {
    readonly name: string;
    /** What comes out: `[batch, time, features]`. */
    readonly output: Shape;
    readonly parameters: number;
  }[];
  readonly parameters: number;
  /** Of the parameters. */
  readonly parameterBytes: number;
  /** Activations, gradients and what else forward and backward need; without parameters and updater states. */
  readonly stepBytes: number;
  /** Floating-point operations of forward and backward. */
  readonly stepFlops: number;
  /** Training tokens for each parameter, where `tokens` was given. */
  readonly tokensPerParameter: number | undefined;
  /** When there are more parameters than tokens: such a network can learn its data by heart. */
  readonly warning: string | undefined;
  /** All of it as a table. */
  readonly text: string;
}

/**
 * Layers, shapes, parameters, memory of a training step, and parameters against training tokens.
 *
 * @param options `batch`: rows; `time`: steps, for sequences; `tokens`: targets in the training data
 * @throws {MnemeError} `invalid-option`
 * @example
 * console.log(summarize(network, { batch: 32, time: 100, tokens: text.size }).text);
 */
export function summarize(network: NetworkContract, options: SummaryOptions): Summary {
  const { batch, time = 1, tokens } = parseOptions(schema, options, 'summary');
  const layers = network.layers.map((_, index) => ({
    name: network.layerNames[index]!,
    output: shapeOf(network.signals[index + 1]!, batch, time),
    parameters: network.parameterLayout
      .filter((place) => place.layer === index)
      .reduce((sum, place) => sum + place.length, 0),
  }));
  const { scratch, flops } = stepCost(network, batch, time);
  const parameters = network.parameterCount;
  const tokensPerParameter = tokens === undefined ? undefined : tokens / parameters;
  const warning =
    tokensPerParameter !== undefined && tokensPerParameter < 1
      ? `More parameters (${count(parameters)}) than training tokens (${count(tokens!)}): the network can learn its data by heart. Use fewer units, more data, or dropout, and watch the validation loss.`
      : undefined;
  const summary = {
    layers,
    parameters,
    parameterBytes: 4 * parameters,
    stepBytes: 4 * scratch,
    stepFlops: flops,
    tokensPerParameter,
    warning,
  };
  return { ...summary, text: table(summary, tokens) };
}

/** Of a program that runs forward and backward from the sum of the output. */
function stepCost(network: NetworkContract, batch: number, time: number): { scratch: number; flops: number } {
  const step = stored('updater', 0, [1], 'i32', 'step');
  const trace = network.trace({ batch, time, training: true, initialStates: 'zero', step });
  const loss = reduceSum([trace.output], { axis: 'all' });
  const wanted = gradients(loss, trace.parameters);
  const { sizes, cost } = compile({
    name: 'summary',
    outputs: { loss },
    assignments: trace.parameters.map((target, index) => ({ target, value: wanted[index]! })),
  });
  return { scratch: sizes.scratch, flops: cost.flops };
}

const shapeOf = (signal: Signal, batch: number, time: number): Shape => [
  batch,
  ...(signal.sequence ? [time] : []),
  ...(signal.kind === 'vectors' ? [signal.features] : []),
];

function table(summary: Omit<Summary, 'text'>, tokens: number | undefined): string {
  const rows = [
    ['layer', 'output', 'parameters'],
    ...summary.layers.map(({ name, output, parameters }) => [name, `[${output.join(', ')}]`, count(parameters)]),
    ['total', '', count(summary.parameters)],
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const lines = rows.map(([name, output, parameters]) =>
    `${name!.padEnd(widths[0]!)}  ${output!.padEnd(widths[1]!)}  ${parameters!.padStart(widths[2]!)}`.trimEnd(),
  );
  const memory = `${printBytes(summary.parameterBytes)} of parameters, ${printBytes(summary.stepBytes)} and ${printFlops(summary.stepFlops)} a training step`;
  const ratio =
    summary.tokensPerParameter === undefined
      ? []
      : [`${count(tokens!)} training tokens, ${summary.tokensPerParameter.toFixed(2)} a parameter`];
  return [...lines, memory, ...ratio, ...(summary.warning ? [summary.warning] : [])].join('\n');
}

const count = (value: number): string => value.toLocaleString('en-US');
