/** What a step means, without a compiler: every node is computed by itself, and stored values change at the very end. */
import type { CompileOptions } from '../../../src/compute/compiler.js';
import type { Node, ReferenceOperand, Value } from '../../../src/compute/graph.js';
import { elementCount } from '../../../src/compute/tensor.js';

export type Memories = Readonly<Record<'parameters' | 'updater' | 'state', Float64Array>>;

/** The outputs of a step, and its memories afterwards. */
export function interpret(
  { outputs, assignments = [] }: Pick<CompileOptions, 'outputs' | 'assignments'>,
  memories: Memories,
  inputs: Readonly<Record<string, Float64Array>>,
): { readonly outputs: Readonly<Record<string, Float64Array>>; readonly memories: Memories } {
  const known = new Map<Node, (ReferenceOperand | undefined)[]>();
  const compute = (node: Node): (ReferenceOperand | undefined)[] => {
    const done = known.get(node);
    if (done) return done;
    const results = node.outputs.map(
      (value) => value && { ...value, data: new Float64Array(elementCount(value.shape)) },
    );
    known.set(node, results);
    const { source, operation, attributes } = node;
    if (source?.kind === 'input') results[0]!.data.set(inputs[source.name]!);
    if (source?.kind === 'stored') {
      const { data } = results[0]!;
      data.set(memories[source.arena].subarray(source.offset, source.offset + data.length));
    }
    operation?.reference({
      inputs: node.inputs.map((value) => value && operandOf(value)),
      outputs: results,
      attributes,
    });
    return results;
  };
  const operandOf = (value: Value): ReferenceOperand => compute(value.node)[value.output]!;

  const after = {
    parameters: memories.parameters.slice(),
    updater: memories.updater.slice(),
    state: memories.state.slice(),
  };
  for (const { target, value, when } of assignments) {
    const source = target.node.source as { arena: keyof Memories; offset: number };
    if (!when || operandOf(when).data[0] !== 0) after[source.arena].set(operandOf(value).data, source.offset);
  }
  return {
    outputs: Object.fromEntries(Object.entries(outputs).map(([name, value]) => [name, operandOf(value).data])),
    memories: after,
  };
}
