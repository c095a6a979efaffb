// Learns for a minute to write like a book.
//
//   npm start                          Moby Dick
//   npm start -- --text FILE           any text in UTF-8
//   npm start -- --seconds 300 --out book.mneme
import { parseArgs } from 'node:util';
import {
  createTrainer,
  evaluate,
  layers,
  losses,
  openText,
  schedules,
  sequential,
  showProgress,
  textFromString,
  updaters,
} from 'mneme';
import { mobyDick } from './moby-dick.js';

const { values: options } = parseArgs({
  options: {
    text: { type: 'string' },
    seconds: { type: 'string', default: '60' },
    out: { type: 'string', default: 'book.mneme' },
  },
});

try {
  await main();
} catch (error) {
  console.error(`${error.message}`);
  process.exitCode = 1;
}

async function main() {
  const shares = { validation: 0.05, test: 0.05 };
  const text = options.text ? await openText(options.text, shares) : textFromString(mobyDick(), shares);
  const batches = fitting(text.training, { batch: 50, steps: 50 });
  const validation = fitting(text.validation, { batch: 10, steps: 100 });

  const vocabulary = text.vocabulary.size;
  const model = sequential(
    [
      layers.embedding({ vocabulary, units: 64 }),
      layers.lstm({ units: 128 }),
      layers.lstm({ units: 128 }),
      layers.dense({ units: vocabulary }),
    ],
    { seed: 12345 },
  );
  const { engine, stream } = model.network;
  console.log(
    `${options.text ?? 'Moby Dick'}: ${text.length.toLocaleString('en-US')} characters, ${vocabulary} different ones`,
  );
  console.log(`${engine.name} engine (${engine.instructionSet}), threads: ${stream.threads}\n`);
  console.log(`${model.summary({ batch: 50, steps: 50, tokens: batches.tokens }).text}\n`);

  const trainer = createTrainer(model, {
    loss: losses.softmaxCrossEntropy(),
    updater: updaters.adam({ learningRate: 8e-3 }),
    schedule: schedules.warmUp({ steps: 100, schedule: schedules.cosine() }),
    clip: { globalNorm: 1 },
  });

  // Shown above the progress bar, with a little text written by the model as it is then.
  model.vocabulary = text.vocabulary;
  const prime = beginning(text.vocabulary.decode(text.validation.ids(0, 2000)));
  const progress = showProgress();
  const sample = async (when) => {
    let written = '';
    for await (const piece of model.session().generate(prime, { length: 250, temperature: 0.7, seed: 1 }))
      written += piece;
    progress.log(`\n--- ${when}: ${prime}[${written}]\n`);
  };
  let halfway = false;
  const sampleHalfway = {
    onStep: ({ fraction }) => {
      if (halfway || fraction < 0.5) return;
      halfway = true;
      return sample('halfway');
    },
  };

  await sample('before training');
  const interrupt = new AbortController();
  process.once('SIGINT', () => interrupt.abort());
  const history = await trainer.fit(batches, {
    seconds: Number(options.seconds),
    validation,
    signal: interrupt.signal,
    listeners: [progress, sampleHalfway],
  });
  await sample(history.stopped === 'aborted' ? 'interrupted' : 'after training');

  const nats = await evaluate(model, validation, { loss: losses.softmaxCrossEntropy() });
  console.log(`validation loss: ${nats.toFixed(3)} nats, ${(nats / Math.LN2).toFixed(3)} bits a character`);
  await model.save(options.out);
  console.log(`
The model is in ${options.out}. Go on with
  npx mneme generate ${options.out} --prime 'The ' --length 500
  npx mneme inspect ${options.out} --program
  npx mneme train --help`);
}

/** A few words of a text, from the beginning of a sentence if there is one. */
function beginning(passage) {
  const [, words] = /[.!?]\s+(\S.{15,35}?)(?=\s)/su.exec(passage) ?? [];
  return words ?? passage.slice(0, 30);
}

/** Batches of a part of the text; smaller ones where it is too short for these. */
function fitting(part, { batch, steps }) {
  const rows = Math.max(1, Math.min(batch, Math.floor((part.length - 1) / steps)));
  return part.batches({ batch: rows, steps: Math.max(1, Math.min(steps, part.length - 1)) });
}
