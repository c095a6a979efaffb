// How good outputs are: each takes those of a model and the examples they belong to.

/** Of strings at each of whose steps every symbol that is allowed has a higher score than all that are not. */
export function shareOfStrings(output, { targets, mask }) {
  const [examples, time, symbols] = targets.shape;
  const right = (row) => {
    const scores = (allowed) =>
      Array.from(output.data.subarray(row * symbols, (row + 1) * symbols)).filter(
        (_, symbol) => (targets.data[row * symbols + symbol] === 1) === allowed,
      );
    return mask.data[row] === 0 || Math.min(...scores(true)) > Math.max(...scores(false));
  };
  return share(examples, (example) => every(time, (step) => right(example * time + step)));
}

/** Of sequences whose class is right wherever one is asked for. */
export function shareOfRows(output, { targets, mask }) {
  const [examples, time] = targets.shape;
  return share(examples, (example) =>
    every(time, (step) => {
      const row = example * time + step;
      return mask.data[row] === 0 || highest(output, row) === targets.data[row];
    }),
  );
}

/** Of steps whose class is right. */
export const shareOfSteps = (output, { targets }) =>
  share(targets.data.length, (row) => highest(output, row) === targets.data[row]);

export const meanSquare = (output, { targets }) =>
  output.data.reduce((sum, x, index) => sum + (x - targets.data[index]) ** 2, 0) / output.data.length;

function highest({ data, shape }, row) {
  const classes = shape.at(-1);
  const scores = data.subarray(row * classes, (row + 1) * classes);
  return scores.indexOf(Math.max(...scores));
}

const every = (count, test) => Array.from({ length: count }, (_, index) => index).every(test);
const share = (count, test) => Array.from({ length: count }, (_, index) => index).filter(test).length / count;
