/** What `mneme train` tells: to a person, or as JSON lines to a program. */
import {
  type CheckpointRecord,
  type EpochRecord,
  type History,
  type Listener,
  type Model,
  type ResumeRecord,
  showProgress,
  type Text,
} from '../index.js';

export interface TrainingReport {
  listenerFor(model: Model, text: Text): Listener;
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
    listenerFor: (model, text) => ({
      ...display,
      onStart(record) {
        if (record.resumed) {
          const { checkpoint: resumed, step, epoch, finished } = record.resumed;
          write({ resumed, step, epoch, finished });
        }
        write(facts(model, text));
        display?.onStart(record);
      },
      onEpoch(record) {
        display?.onEpoch(record);
        const { epoch, step, trainLoss, validationLoss = null, tokensPerSecond, seconds } = record;
        write({ epoch, step, trainLoss, validationLoss, tokensPerSecond, seconds });
      },
      onCheckpoint(record) {
        if (!record.error) return;
        write({ checkpoint: null, step: record.step, error: record.error.message });
        complain(record, display?.log);
      },
    }),
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
    listenerFor: (model, text) => ({
      ...display,
      onStart(record) {
        const { parameters, vocabulary, tokens, threads, isa, engine } = facts(model, text);
        say(`${count(tokens)} symbols, ${vocabulary} different ones; ${count(parameters)} parameters`);
        say(`${engine} engine (${isa}), ${threads} ${threads === 1 ? 'thread' : 'threads'}`);
        if (record.resumed) say(resumedLine(record.resumed));
        display.onStart(record);
      },
      onCheckpoint: (record) => complain(record, process.stdout.isTTY ? display.log : undefined),
    }),
    end(directory, history) {
      if (history.stopped === 'aborted') {
        say(`Interrupted after step ${count(history.steps)}. Go on with`);
        say(`  npx mneme train --resume ${directory}`);
      }
      const best = bestLine(history);
      if (best) say(best);
      say(`The model is in ${directory}. It writes with`);
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

function resumedLine({ checkpoint, step, epoch, finished }: ResumeRecord): string {
  return finished
    ? `This run was finished after step ${count(step)}: there is nothing left to learn (${checkpoint}).`
    : `Going on after step ${count(step)}, in pass ${epoch} (${checkpoint}).`;
}

/** On standard error, or above the bar where one shows. */
function complain({ step, error }: CheckpointRecord, log?: (line: string) => void): void {
  if (!error) return;
  const line = `The checkpoint of step ${count(step)} was not written, training goes on. ${error.message}`;
  if (log) log(line);
  else process.stderr.write(`mneme: ${line}\n`);
}

const count = (value: number): string => value.toLocaleString('en-US');
