/** What `mneme train` tells: to a person, or as JSON lines to a program. */
import { type EpochRecord, type History, type Listener, type Model, showProgress, type Text } from '../index.js';

export interface TrainingReport {
  start(model: Model, text: Text): void;
  readonly listener: Listener;
  end(directory: string, history: History): void;
  /** Takes a progress bar away, however training ended. */
  stop(): void;
}

/** One JSON object a line on standard output; a bar on standard error if that alone is a terminal. */
export function jsonReport(): TrainingReport {
  const write = (line: object): void => {
    process.stdout.write(`${JSON.stringify(line)}\n`);
  };
  const watched = process.stderr.isTTY && !process.stdout.isTTY;
  const display = watched ? showProgress({ stream: process.stderr }) : undefined;
  return {
    start: (model, text) => write(facts(model, text)),
    listener: {
      ...display,
      onEpoch(record) {
        display?.onEpoch(record);
        const { epoch, step, trainLoss, validationLoss = null, tokensPerSecond, seconds } = record;
        write({ epoch, step, trainLoss, validationLoss, tokensPerSecond, seconds });
      },
    },
    end: (directory) => write({ model: directory }),
    stop: () => display?.stop(),
  };
}

export function textReport(): TrainingReport {
  const display = showProgress();
  const say = (line: string): void => {
    process.stdout.write(`${line}\n`);
  };
  return {
    start(model, text) {
      const { parameters, vocabulary, tokens, threads, isa, engine } = facts(model, text);
      say(`${count(tokens)} symbols, ${vocabulary} different ones; ${count(parameters)} parameters`);
      say(`${engine} engine (${isa}), ${threads} ${threads === 1 ? 'thread' : 'threads'}`);
    },
    listener: display,
    end(directory, history) {
      if (history.stopped === 'aborted') say(`Interrupted after step ${count(history.steps)}.`);
      const best = bestLine(history);
      if (best) say(best);
      say(`The model is in ${directory}. Go on with`);
      say(`  npx mneme generate ${directory} --prime 'The ' --length 500`);
    },
    stop: display.stop,
  };
}

function facts({ network }: Model, text: Text) {
  return {
    parameters: network.parameterCount,
    vocabulary: text.vocabulary.size,
    tokens: text.length,
    threads: network.stream.threads,
    isa: network.engine.instructionSet,
    engine: network.engine.name,
  };
}

/** Which pass's weights were kept, where they are not the last one's. */
function bestLine({ best, epochs, stopped }: History): string | undefined {
  if (!best || stopped === 'aborted' || best === epochs.at(-1)) return undefined;
  return `Kept the weights of pass ${best.epoch}: validation ${(best as EpochRecord & { validationLoss: number }).validationLoss.toFixed(3)} nats.`;
}

const count = (value: number): string => value.toLocaleString('en-US');
