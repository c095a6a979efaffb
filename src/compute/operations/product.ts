/** The matrix product of the references: three loops over strided views. */

/** Element (i, j) is `data[offset + i·rowStride + j·columnStride]`. */
export interface MatrixView {
  readonly data: Float64Array;
  readonly offset: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** A view of a row-major array whose rows are `width` long, or of its transpose. */
export const matrix = (
  data: Float64Array,
  width: number,
  { transpose = false, offset = 0 }: { readonly transpose?: boolean; readonly offset?: number } = {},
): MatrixView => ({ data, offset, rowStride: transpose ? 1 : width, columnStride: transpose ? width : 1 });

/** c [m, n] += a [m, k] · b [k, n] */
export function multiply(
  a: MatrixView,
  b: MatrixView,
  c: MatrixView,
  { m, k, n }: { readonly m: number; readonly k: number; readonly n: number },
): void {
  for (let i = 0; i < m; i++) {
    const toRow = c.offset + i * c.rowStride;
    for (let p = 0; p < k; p++) {
      const factor = a.data[a.offset + i * a.rowStride + p * a.columnStride]!;
      const fromRow = b.offset + p * b.rowStride;
      for (let j = 0; j < n; j++) {
        c.data[toRow + j * c.columnStride]! += factor * b.data[fromRow + j * b.columnStride]!;
      }
    }
  }
}
