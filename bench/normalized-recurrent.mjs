/**
 * Recurrent layers with layer normalisation beside the same ones without it, forward and backward with all gradients, in turns:
 *
 *   npm run build && node bench/normalized-recurrent.mjs [threads]
 */
const dist = (file) => new URL(`../dist/${file}`, import.meta.url).href;
const { layers } = await import(dist('index.js'));
const { layerProgramRun } = await import(dist('cli/bench/layer-program.js'));
const { median } = await import(dist('cli/bench/statistics.js'));

const threads = Number(process.argv[2] ?? 1);
const [time, batch] = [50, 32];
for (const kind of ['lstm', 'gru', 'simpleRnn']) {
  for (const units of [128, 256]) {
    const shape = { time, batch, input: units, inputGradient: true };
    const sides = [false, true].map((layerNormalization) => ({
      run: layerProgramRun({ layer: layers[kind]({ units, layerNormalization }), ...shape }, threads),
      times: [],
    }));
    for (let round = 0; round < 8; round++) {
      for (const { run, times } of sides) {
        const milliseconds = await run.time(4);
        // The first round warms up.
        if (round > 0) times.push(milliseconds);
      }
    }
    const [plain, normalised] = sides.map(({ times }) => median(times));
    const ratio = (normalised / plain).toFixed(2);
    console.log(
      `${kind} ${time},${batch},${units},${units}: ${plain.toFixed(2)} ms, normalised ${normalised.toFixed(2)} ms, ${ratio} times`,
    );
    for (const { run } of sides) run.dispose();
  }
}
