/**
 * The compiler: from a graph to a program. Equal nodes are merged, what nothing reads is dropped, neighbouring
 * expressions are fused; then values get their places, instructions their order, and scratch memory is shared out.
 */
import { MnemeError, printGibibytes } from '../errors.js';
import { emitProgram } from './compiler/emission.js';
import { fuseMaps } from './compiler/fusion.js';
import { joinNeighbours } from './compiler/joining.js';
import { planScratch } from './compiler/memory.js';
import { orderNodes } from './compiler/ordering.js';
import { placeValues } from './compiler/placement.js';
import { dropUnread, mergeEqual } from './compiler/simplification.js';
import { copyGraph, type StepDescription } from './compiler/step-graph.js';
import { type Arena, arenas, type Program } from './program.js';

export { printBytes, printFlops, printProgram } from './compiler/print.js';

/** What a step computes and what it changes. */
export interface CompileOptions extends StepDescription {
  /** For messages and printing. */
  readonly name: string;
  /**
   * Maps of one shape that read the same, or each other, become one with several results: it pays where arrays are so small
   * that they stay in the caches anyway. Default false.
   */
  readonly joinMaps?: boolean;
}

/**
 * Compiles a step.
 *
 * An assignment writes a value to the place of a stored one, after everything that reads the old value; if `when` `[1]`
 * i32 is given and 0, the old value stays. If the value is a result of a map that reads the old one, it is made in place;
 * `when` may then be the flag of that same guarded map.
 *
 * @param options `outputs`: values by port name; `assignments`: new values of stored ones
 * @throws {MnemeError} `invalid-argument` for targets that are not stored or overlap, `invalid-shape` for a value of another
 *   shape than its target, `out-of-memory` if an arena would need 2^31 elements or more
 * @example
 * const program = compile({ name: 'step', outputs: { loss }, assignments: [{ target: kernel, value: next }] });
 */
export function compile({ name, joinMaps = false, ...description }: CompileOptions): Program {
  const graph = copyGraph(description);
  mergeEqual(graph);
  dropUnread(graph);
  fuseMaps(graph);
  if (joinMaps) joinNeighbours(graph);
  const plan = placeValues(graph);
  const ordered = orderNodes(plan);
  const program = emitProgram(name, plan, ordered, planScratch(plan, ordered));
  for (const arena of arenas) checkSize(name, arena, program.sizes[arena]);
  return program;
}

function checkSize(name: string, arena: Arena, elements: number): void {
  if (elements < 2 ** 31) return;
  throw new MnemeError(
    'out-of-memory',
    `program '${name}' needs ${printGibibytes(elements * 4)} of ${arena} memory; at most 8 GiB are possible. ` +
      'Use a smaller batch, shorter sequences or fewer units.',
  );
}
