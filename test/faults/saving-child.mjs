/** Saves two models in turn under one name until it is killed: `node saving-child.mjs PATH-OF-MNEME DIRECTORY`. */
const [mneme, directory] = process.argv.slice(2);
const { createReferenceEngine, layers, sequential } = await import(mneme);

const models = [1, 2].map((seed) =>
  sequential([layers.lstm({ units: 64 })], {
    seed,
    input: { features: 64 },
    engine: createReferenceEngine({ precision: 'f32' }),
  }),
);
await models[0].save(directory);
console.log('saved');
for (let count = 1; ; count++) await models[count % 2].save(directory);
