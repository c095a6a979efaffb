/** What `elementwiseRecurrence` and `elementwiseRecurrenceGradient` compute: one lane after the other, through time. */
import { blockEvaluator } from '../expression.js';
import type { ReferenceCall } from '../graph.js';
import {
  elementwiseRecurrenceSizes,
  firstPerUnit,
  forwardInputs,
  gradientExpressions,
  lengthsOf,
  readStep,
  recurrenceAttributes,
  stepExpressions,
} from './elementwise-recurrence-operands.js';

export function elementwiseRecurrenceReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const where = 'elementwiseRecurrence';
  const sizes = elementwiseRecurrenceSizes(where, inputs, attributes);
  const { batch, units, stateVariable, variables } = sizes;
  const { states } = recurrenceAttributes(attributes);
  const lengths = lengthsOf(where, inputs[4], sizes);
  const evaluator = blockEvaluator(stepExpressions(attributes), variables);
  for (let lane = 0; lane < batch * units; lane++) {
    const row = Math.floor(lane / units);
    const unit = lane % units;
    const now = Array.from({ length: states }, (_, state) => inputs[1 + state]?.data[lane] ?? 0);
    for (let t = 0; t < sizes.time; t++) {
      const lives = t < lengths[row]!;
      if (lives) {
        readStep(evaluator.inputs, inputs, inputs.slice(firstPerUnit), sizes, { t, row, unit });
        for (const [state, value] of now.entries()) evaluator.inputs[stateVariable + state]![0] = value;
        for (const [state, result] of evaluator.run(1).entries()) now[state] = result[0]!;
      }
      for (const [state, value] of now.entries()) outputs[state]!.data[t * batch * units + lane] = lives ? value : 0;
    }
    for (const [state, value] of now.entries()) outputs[2 + state]?.data.fill(value, lane, lane + 1);
  }
}

/** Inputs and outputs as `elementwiseRecurrenceGradientOperation` says. */
export function elementwiseRecurrenceGradientReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const where = 'elementwiseRecurrenceGradient';
  const forward = forwardInputs(inputs);
  const sizes = elementwiseRecurrenceSizes(where, forward, attributes);
  const { batch, units, sequences, stateVariable, variables } = sizes;
  const { states } = recurrenceAttributes(attributes);
  const [dInput, dInitial1, dInitial2, ...dPerUnit] = outputs;
  const lengths = lengthsOf(where, inputs[4], sizes);
  const evaluator = blockEvaluator(gradientExpressions(forward, attributes), variables + states);
  for (const value of dPerUnit) value!.data.fill(0);
  // May lie on the input, of which the steps that live are read.
  const dx = new Float64Array(dInput!.data.length);
  for (let lane = 0; lane < batch * units; lane++) {
    const row = Math.floor(lane / units);
    const unit = lane % units;
    const dStates = Array.from({ length: states }, (_, state) => inputs[9 + state]?.data[lane] ?? 0);
    for (let t = lengths[row]! - 1; t >= 0; t--) {
      readStep(evaluator.inputs, inputs, forward.slice(firstPerUnit), sizes, { t, row, unit });
      for (let state = 0; state < states; state++) {
        const place = t * batch * units + lane;
        const old = t > 0 ? inputs[5 + state]!.data[place - batch * units] : inputs[1 + state]?.data[lane];
        evaluator.inputs[stateVariable + state]![0] = old ?? 0;
        evaluator.inputs[variables + state]![0] = dStates[state]! + (inputs[7 + state]?.data[place] ?? 0);
      }
      const results = evaluator.run(1);
      for (let index = 0; index < sequences; index++) {
        dx[((t * batch + row) * sequences + index) * units + unit] = results[index]![0]!;
      }
      for (const [index, value] of dPerUnit.entries()) value!.data[unit]! += results[sequences + index]![0]!;
      for (const state of dStates.keys()) dStates[state] = results[sequences + dPerUnit.length + state]![0]!;
    }
    for (const [state, dInitial] of [dInitial1, dInitial2].entries())
      dInitial?.data.fill(dStates[state]!, lane, lane + 1);
  }
  dInput!.data.set(dx);
}
