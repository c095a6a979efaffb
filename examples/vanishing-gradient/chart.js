// A chart of a few curves as an SVG: linear to the right, logarithmic upwards, each curve named in its legend.

const size = { width: 760, height: 440 };
const frame = { left: 70, top: 48, right: 560, bottom: 380 };
const colours = ['#b2182b', '#9ecae1', '#4292c6', '#08519c', '#238b45'];
/** Powers of ten that the picture reaches down to. */
const lowest = -16;

/**
 * @param curves each with a name and its values at 0, 1, 2, ...: above 0, or 0 where a value was too small to be told from it
 * @param options the title, and what the axes are
 */
export function logarithmicChart(curves, { title }) {
  const last = Math.max(...curves.map(({ norms }) => norms.length)) - 1;
  const x = (distance) => frame.left + (distance / last) * (frame.right - frame.left);
  const y = (power) => frame.top + (power / lowest) * (frame.bottom - frame.top);
  const lines = curves.map(({ name, norms }, index) => {
    const colour = colours[index % colours.length];
    // A curve ends where it leaves the picture.
    const below = norms.findIndex((norm) => !(norm >= 10 ** lowest));
    const points = (below < 0 ? norms : norms.slice(0, below)).map(
      (norm, distance) => `${x(distance).toFixed(1)},${y(Math.log10(norm)).toFixed(1)}`,
    );
    const row = frame.top + 12 + 24 * index;
    return [
      `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2.5"/>`,
      `<line x1="${frame.right + 20}" x2="${frame.right + 44}" y1="${row}" y2="${row}" stroke="${colour}" stroke-width="2.5"/>`,
      text(name, { x: frame.right + 52, y: row + 4 }),
    ].join('\n');
  });
  const powers = Array.from({ length: -lowest / 4 + 1 }, (_, index) => -4 * index);
  const marks = [0, 0.25, 0.5, 0.75, 1].map((share) => Math.round(share * last));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${size.width}" height="${size.height}" viewBox="0 0 ${size.width} ${size.height}" font-family="sans-serif" font-size="13">`,
    `<rect width="${size.width}" height="${size.height}" fill="white"/>`,
    text(title, { x: frame.left, y: 28, size: 17 }),
    ...powers.flatMap((power) => [
      `<line x1="${frame.left}" x2="${frame.right}" y1="${y(power)}" y2="${y(power)}" stroke="#dddddd"/>`,
      text(power === 0 ? '1' : `1e${power}`, { x: frame.left - 8, y: y(power) + 4, anchor: 'end' }),
    ]),
    ...marks.map((distance) => text(String(distance), { x: x(distance), y: frame.bottom + 20, anchor: 'middle' })),
    text('steps between what was read and the output', {
      x: (frame.left + frame.right) / 2,
      y: frame.bottom + 44,
      anchor: 'middle',
    }),
    ...lines,
    '</svg>\n',
  ].join('\n');
}

function text(content, { x, y, anchor = 'start', size: fontSize }) {
  const font = fontSize === undefined ? '' : ` font-size="${fontSize}"`;
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" text-anchor="${anchor}"${font}>${content}</text>`;
}
