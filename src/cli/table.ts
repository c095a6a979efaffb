/** Rows of text in aligned columns. */

/** One line a row. A column of numbers, or of nothing, is aligned to the right, any other to the left. */
export function table(rows: readonly (readonly string[])[], heading: readonly string[] = []): string {
  const all = heading.length > 0 ? [heading, ...rows] : rows;
  const columns = Array.from({ length: Math.max(...all.map((row) => row.length)) }, (_, column) => ({
    width: Math.max(...all.map((row) => row[column]?.length ?? 0)),
    numeric: rows.every((row) => /^([-+]?[\d.,]+( %)?)?$/.test(row[column] ?? '')),
  }));
  const line = (row: readonly string[]): string =>
    columns
      .map(({ width, numeric }, column) => {
        const cell = row[column] ?? '';
        return numeric ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return all.map(line).join('\n');
}
