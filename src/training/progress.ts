/** The progress of a fit, shown: a bar on a terminal, plain lines elsewhere. */
import { MultiBar, Presets, type SingleBar } from 'cli-progress';
import * as v from 'valibot';
import { finiteNumber, parseOptions } from '../options.js';
import type { CheckpointRecord, EpochRecord, History, Listener, StartRecord, StepRecord } from './listener.js';

/** Where to write: `process.stdout`, `process.stderr`, or anything that writes text. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
}

const schema = v.strictObject({
  stream: v.optional(
    v.custom<ProgressStream>((value) => typeof value === 'object' && value !== null && 'write' in value, 'a stream'),
  ),
  interval: v.optional(finiteNumber({ above: 0 }), 10),
});
export type ProgressOptions = v.InferInput<typeof schema>;

export interface ProgressDisplay extends Required<Listener> {
  /** Writes lines above the bar. */
  log(text: string): void;
  /** Takes the bar away. A fit that ends does it; one that fails does not. */
  stop(): void;
  [Symbol.dispose](): void;
}

/**
 * A listener for `fit` that shows step, tokens a second, training loss (smoothed over about fifty steps) and the time
 * left, and a line with the validation loss after each pass.
 *
 * @param options
 * - `stream`: default `process.stdout`; whether it is a terminal decides between a bar and plain lines
 * - `interval`: seconds between two plain lines, default 10
 * @throws {MnemeError} `invalid-option`
 * @example
 * await trainer.fit(batches, { epochs: 10, listeners: [showProgress()] });
 */
export function showProgress(options: ProgressOptions = {}): ProgressDisplay {
  const { stream = process.stdout, interval } = parseOptions(schema, options, 'showProgress');
  const bar = stream.isTTY ? terminalBar(stream as NodeJS.WritableStream) : undefined;
  const rate = new Rate();
  let loss = Number.NaN;
  let lastLine = 0;
  const log = (text: string): void => {
    if (bar) bar.log(`${text}\n`);
    else stream.write(`${text}\n`);
  };
  return {
    onStart(_: StartRecord) {
      bar?.start();
    },
    onStep(record: StepRecord) {
      const weight = Math.max(1 / record.step, 1 / 50);
      loss = Number.isNaN(loss) ? record.loss : loss + weight * (record.loss - loss);
      rate.add(record);
      const line = fields(record, rate.tokensPerSecond, loss);
      if (bar) bar.show(record.fraction, line);
      else if (record.seconds - lastLine >= interval) {
        lastLine = record.seconds;
        log(`${Math.floor(100 * record.fraction)} %  ${Object.values(line).join('  ')}`);
      }
    },
    onEpoch(record: EpochRecord) {
      rate.pause();
      log(epochLine(record));
    },
    onCheckpoint({ step, error }: CheckpointRecord) {
      if (error) log(`The checkpoint of step ${thousands(step)} was not written. ${error.message}`);
    },
    onEnd(_: History) {
      bar?.stop();
    },
    log,
    stop: () => bar?.stop(),
    [Symbol.dispose]: () => bar?.stop(),
  };
}

function fields({ step, fraction, seconds }: StepRecord, tokensPerSecond: number, loss: number) {
  const left = fraction > 0 ? seconds * (1 / fraction - 1) : Number.NaN;
  return {
    step: `step ${thousands(step)}`,
    speed: `${thousands(tokensPerSecond)} tokens/s`,
    loss: `loss ${loss.toFixed(3)}`,
    left: `ETA ${clock(left)}`,
  };
}

function epochLine(record: EpochRecord): string {
  const validation =
    record.validationLoss === undefined
      ? ''
      : `  validation ${record.validationLoss.toFixed(3)} nats, ${(record.validationLoss / Math.LN2).toFixed(3)} bits`;
  const pass = record.complete ? `pass ${record.epoch}` : `pass ${record.epoch} (part)`;
  const speed = `${thousands(record.tokensPerSecond)} tokens/s`;
  return `${pass}  step ${thousands(record.step)}  training ${record.trainLoss.toFixed(3)}${validation}  ${speed}  ${clock(record.seconds)}`;
}

interface Bar {
  start(): void;
  show(fraction: number, fields: Readonly<Record<string, string>>): void;
  log(text: string): void;
  stop(): void;
}

function terminalBar(stream: NodeJS.WritableStream): Bar {
  // The cursor and line wrapping stay as they are: a process that is killed leaves the terminal usable.
  const format = '{bar} {percentage} %  {step}  {speed}  {loss}  {left}';
  const bars = new MultiBar(
    { stream, format, barsize: 20, clearOnComplete: true, linewrap: true, emptyOnZero: true },
    Presets.shades_classic,
  );
  let bar: SingleBar | undefined;
  return {
    start() {
      bar = bars.create(1, 0, { step: 'compiling', speed: '', loss: '', left: '' });
    },
    show: (fraction, fields) => bar?.update(fraction, fields),
    log(text) {
      bars.log(text);
      if (bar) bars.update();
    },
    stop() {
      if (!bar) return;
      bars.update();
      bars.stop();
      bar = undefined;
    },
  };
}

/** Tokens a second over the last seconds of training. */
class Rate {
  readonly #marks: { readonly tokens: number; readonly seconds: number }[] = [];
  tokensPerSecond = 0;

  add({ tokens, seconds }: StepRecord): void {
    this.#marks.push({ tokens, seconds });
    while (this.#marks.length > 2 && seconds - this.#marks[0]!.seconds > 3) this.#marks.shift();
    const first = this.#marks[0]!;
    if (seconds > first.seconds) this.tokensPerSecond = (tokens - first.tokens) / (seconds - first.seconds);
  }

  /** Time that is not training begins; until there are new steps, the speed is what it was. */
  pause(): void {
    this.#marks.length = 0;
  }
}

const thousands = (value: number): string => Math.round(value).toLocaleString('en-US');

/** `1:05`, `1:02:03` */
function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const whole = Math.round(seconds);
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const shown = parts[0] === 0 ? parts.slice(1) : parts;
  return shown.map((part, index) => (index === 0 ? `${part}` : `${part}`.padStart(2, '0'))).join(':');
}
