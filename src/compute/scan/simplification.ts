/** A body as the compiler would write it: what is equal is one, what nobody reads is gone, and expressions are joined. */
import { fuseMaps } from '../compiler/fusion.js';
import { dropUnread, mergeEqual } from '../compiler/simplification.js';
import { copyGraph } from '../compiler/step-graph.js';
import type { Value } from '../graph.js';

/**
 * The same values of simpler graphs; `sources` are found again behind them by their names. Expressions are joined before
 * they are differentiated, so that the gradient computes again what they have in between, and nothing of it is kept.
 */
export function simplified<Values extends readonly Value[]>(
  values: Values,
  sources: readonly Value[],
): { readonly values: Value[]; sourceOf(source: Value): Value } {
  const graph = copyGraph({ outputs: Object.fromEntries(values.map((value, index) => [`${index}:`, value])) });
  mergeEqual(graph);
  dropUnread(graph, { optionalOutputs: 'keep' });
  fuseMaps(graph);
  const found = new Map(
    graph.nodes.flatMap(({ source, outputs }) => (source ? [[outputs[0]!.name, outputs[0] as Value] as const] : [])),
  );
  const known = new Set(sources);
  return {
    values: graph.outputs.map(({ value }) => value),
    sourceOf: (source) => (known.has(source) ? (found.get(source.name) ?? source) : source),
  };
}
