/** One step of a recurrent cell as the references compute it: for all rows of a batch, in double precision. */

export interface StepSizes {
  readonly batch: number;
  readonly units: number;
  /** Columns of the hidden state: the units, or what they are projected to. */
  readonly hiddenSize: number;
}

export interface StepFunctions {
  readonly gate: ActivationFunction;
  readonly candidate: ActivationFunction;
  /** LSTM: what c goes through. */
  readonly output: ActivationFunction;
}
export interface ActivationFunction {
  readonly value: (x: number) => number;
  readonly derivative: (x: number) => number;
}

/** What both ways read. Gates lie side by side in rows: `[batch, gates·units]`. */
interface StepInputs extends StepSizes, StepFunctions {
  /** `[batch, hiddenSize]` before the step; and what the recurrent product reads, which may be times a mask. */
  readonly hidden: Float64Array;
  readonly fed: Float64Array;
  /** The state c of an LSTM before the step, `[batch, units]`. */
  readonly cell: Float64Array;
  readonly recurrentKernel: Float64Array;
  /** LSTM: `[gates - 1, units]` */
  readonly peephole: Float64Array | undefined;
}

export interface ForwardStep extends StepInputs {
  /** Input product and bias, `[batch, gates·units]`. */
  readonly input: Float64Array;
  readonly recurrentBias: Float64Array | undefined;
  /** To fill: what backward needs, `[batch, kept·units]`. */
  readonly kept: Float64Array;
  /** To fill, `[batch, units]`: before projection and before any old state is kept. */
  readonly nextHidden: Float64Array;
  readonly nextCell: Float64Array;
}

export interface BackwardStep extends StepInputs {
  readonly nextCell: Float64Array;
  readonly kept: Float64Array;
  /** All that flows into the results of the step. */
  readonly dNextHidden: Float64Array;
  readonly dNextCell: Float64Array;
  /** To fill: `[batch, gates·units]`. */
  readonly dInput: Float64Array;
  /** To fill; zero before. */
  readonly dHidden: Float64Array;
  readonly dFed: Float64Array;
  readonly dCell: Float64Array;
  /** To add to. */
  readonly dRecurrentKernel: Float64Array;
  readonly dRecurrentBias: Float64Array | undefined;
  readonly dPeephole: Float64Array | undefined;
}

export interface Cell {
  /** 1: h; 2: h and c. */
  readonly states: 1 | 2;
  /** Blocks of `units` columns in the kernels. */
  readonly gates: number;
  /** Blocks of `units` columns kept for backward. */
  readonly kept: number;
  /** Those that only the unit itself uses: what they hold does not matter where the whole old state stays. */
  readonly own: readonly number[];
  forward(step: ForwardStep): void;
  backward(step: BackwardStep): void;
}

/** Calls `visit` for each row and unit, with the element's place in `[batch, units]`. */
export function forEachUnit(
  { batch, units }: Pick<StepSizes, 'batch' | 'units'>,
  visit: (place: number, row: number, unit: number) => void,
): void {
  for (let row = 0; row < batch; row++) {
    for (let unit = 0; unit < units; unit++) visit(row * units + unit, row, unit);
  }
}
