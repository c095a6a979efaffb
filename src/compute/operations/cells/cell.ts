/** One step of a recurrent cell as the references compute it: for all rows of a batch, in double precision. */

export interface StepSizes {
  readonly batch: number;
  readonly units: number;
}

export interface StepFunctions {
  readonly gate: ActivationFunction;
  readonly activation: ActivationFunction;
}
export interface ActivationFunction {
  readonly value: (x: number) => number;
  readonly derivative: (x: number) => number;
}

/** Gates lie side by side in rows: `[batch, gates·units]`. `cell` stands for the state c of an LSTM, `[batch, units]`. */
export interface ForwardStep extends StepSizes, StepFunctions {
  /** Input product and bias, `[batch, gates·units]`. */
  readonly input: Float64Array;
  readonly hidden: Float64Array;
  readonly cell: Float64Array;
  readonly recurrentKernel: Float64Array;
  readonly recurrentBias: Float64Array | undefined;
  /** To fill: what backward needs, `[batch, kept·units]`. */
  readonly kept: Float64Array;
  /** To fill. */
  readonly nextHidden: Float64Array;
  readonly nextCell: Float64Array;
}

export interface BackwardStep extends StepSizes, StepFunctions {
  readonly hidden: Float64Array;
  readonly cell: Float64Array;
  readonly nextCell: Float64Array;
  readonly recurrentKernel: Float64Array;
  readonly kept: Float64Array;
  /** All that flows into the results of the step. */
  readonly dNextHidden: Float64Array;
  readonly dNextCell: Float64Array;
  /** To fill: `[batch, gates·units]`. */
  readonly dInput: Float64Array;
  /** To fill; zero before. */
  readonly dHidden: Float64Array;
  readonly dCell: Float64Array;
  /** To add to. */
  readonly dRecurrentKernel: Float64Array;
  readonly dRecurrentBias: Float64Array | undefined;
}

export interface Cell {
  /** Blocks of `units` columns in the kernels. */
  readonly gates: number;
  /** Blocks of `units` columns kept for backward. */
  readonly kept: number;
  forward(step: ForwardStep): void;
  backward(step: BackwardStep): void;
}

/** Calls `visit` for each row and unit, with the element's place in `[batch, units]`. */
export function forEachUnit(
  { batch, units }: StepSizes,
  visit: (place: number, row: number, unit: number) => void,
): void {
  for (let row = 0; row < batch; row++) {
    for (let unit = 0; unit < units; unit++) visit(row * units + unit, row, unit);
  }
}
