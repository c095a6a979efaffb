/** A run of `mneme train` that is interrupted goes on, and ends as if it had not been. */
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { finished, jsonLines, mneme, type Result, start, workshop } from './mneme.js';

const { path, text } = workshop();
const options =
  '--cell gru --layers 1 --units 16 --embedding 8 --dropout 0.1 --batch 4 --steps 20 --seed 3 --epochs 50 --checkpoint-steps 10'.split(
    ' ',
  );
const run = (out: string) => ['train', '--text', text, ...options, '--out', out, '--json'];

const digestOf = (model: string): string =>
  JSON.parse(readFileSync(join(model, 'model.json'), 'utf8')).parameters.sha256;
const passesOf = (result: Result) =>
  jsonLines(result)
    .filter((line) => 'trainLoss' in line)
    .map(({ epoch, step, trainLoss, validationLoss }) => ({ epoch, step, trainLoss, validationLoss }));
const checkpointsIn = (out: string): string[] =>
  readdirSync(join(out, 'checkpoints')).filter((name) => name.startsWith('step-'));

const undisturbed = path('undisturbed');
let expected: Result;
/** A run that was interrupted in the middle. */
const interrupted = path('interrupted');
let copies = 0;
function copy(): string {
  const out = path(`copy-${copies++}`);
  cpSync(interrupted, out, { recursive: true });
  return out;
}

async function interrupt(out: string, signal: NodeJS.Signals): Promise<Result> {
  const child = start(run(out));
  let sent = false;
  child.stdout!.on('data', (lines) => {
    if (sent || !String(lines).includes('"trainLoss"')) return;
    sent = child.kill(signal);
  });
  return finished(child);
}

beforeAll(async () => {
  expected = await mneme(run(undisturbed));
  expect(expected).toMatchObject({ code: 0, stderr: '' });
  expect((await interrupt(interrupted, 'SIGINT')).code).toBe(130);
});

/** A process that cannot write files of more than a few KiB: as on a full disk, without being root. */
function withLittleDisk(args: readonly string[]): Promise<Result> {
  const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
  return finished(spawn('bash', ['-c', 'ulimit -f 4 && exec "$@"', 'bash', process.execPath, main, ...args]));
}

describe('a run that was interrupted', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'by %s saves a checkpoint and the model, and goes on from there',
    async (signal) => {
      const out = path(signal);
      const first = await interrupt(out, signal);
      expect(first).toMatchObject({ code: 130, stderr: '' });
      const { step } = passesOf(first).at(-1)!;
      expect(checkpointsIn(out).at(-1)).toBe(`step-${String(step).padStart(9, '0')}`);
      expect(existsSync(join(out, 'model.json'))).toBe(true);

      const second = await mneme(['train', '--resume', out, '--threads', '1', '--json']);
      expect(second).toMatchObject({ code: 0, stderr: '' });
      expect(digestOf(out)).toBe(digestOf(undisturbed));
      const [line, facts, ...rest] = jsonLines(second);
      expect(line).toEqual({
        resumed: join(out, 'checkpoints', `step-${String(step).padStart(9, '0')}`),
        step,
        epoch: expect.any(Number),
        finished: false,
      });
      expect(facts).toEqual({ ...jsonLines(expected)[0], threads: 1 });
      expect(rest.at(-1)).toEqual({ model: out });
      const passes = passesOf(second);
      expect(passes).toEqual(passesOf(expected).slice(-passes.length));
    },
  );

  it('says in words where it goes on, and how', async () => {
    const out = copy();
    const { stdout } = await mneme(['train', '--resume', out]);
    expect(stdout).toMatch(/^Going on after step \d+, in pass \d+ \(.*checkpoints\/step-0000\d+\)\.$/m);
    expect(stdout).toContain(`The model is in ${out}`);
    const cut = start(['train', '--text', text, ...options, '--epochs', '100000', '--out', path('said')]);
    cut.stdout!.once('data', () => cut.kill('SIGINT'));
    expect((await finished(cut)).stdout).toContain(`npx mneme train --resume ${path('said')}`);
  });

  it('and was finished, says so and ends well', async () => {
    const out = path('finished');
    cpSync(undisturbed, out, { recursive: true });
    const result = await mneme(['train', '--resume', out, '--json']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    const lines = jsonLines(result);
    expect(lines[0]).toMatchObject({ finished: true, epoch: 50, resumed: expect.stringMatching(/-end$/) });
    expect(lines).toHaveLength(3);
    expect(digestOf(out)).toBe(digestOf(undisturbed));
    expect((await mneme(['train', '--resume', out])).stdout).toMatch(/This run was finished after step \d+/);
  });

  it('goes on where its directory was moved, and its text with it', async () => {
    const out = path('moved');
    renameSync(copy(), out);
    const elsewhere = path('elsewhere.txt');
    cpSync(text, elsewhere);
    const result = await mneme(['train', '--resume', out, '--text', elsewhere, '--json']);
    expect(result).toMatchObject({ code: 0, stderr: '' });
    expect(digestOf(out)).toBe(digestOf(undisturbed));
  });

  it('goes on from the checkpoint before a damaged one, on request', async () => {
    const out = copy();
    const newest = checkpointsIn(out).at(-1)!;
    truncateSync(join(out, 'checkpoints', newest, 'state.safetensors'), 200);
    const refused = await mneme(['train', '--resume', out]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(
      new RegExp(
        `^mneme: .*${newest} is damaged: state\\.safetensors .*truncated.* --previous goes on from .*step-`,
        'm',
      ),
    );
    expect((await mneme(['train', '--resume', out, '--previous'])).code).toBe(0);
    expect(digestOf(out)).toBe(digestOf(undisturbed));
  });
});

describe('is refused, with what to do', () => {
  const expectRefusal = async (args: readonly string[], code: number, message: RegExp) => {
    const result = await mneme(args);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
    expect(result.code).toBe(code);
  };

  it('a text that was changed, and one that is missing', async () => {
    const out = path('text-changed');
    const own = path('own.txt');
    cpSync(text, own);
    await mneme(['train', '--text', own, ...options, '--epochs', '1', '--out', out]);
    appendFileSync(own, 'More.');
    await expectRefusal(
      ['train', '--resume', out],
      1,
      /own\.txt is not the text .*9000 bytes then, 9005 now.*--text FILE/,
    );
    writeFileSync(own, readFileSync(text, 'utf8').replace('fox', 'fax'));
    await expectRefusal(['train', '--resume', out], 1, /its SHA-256 is another/);
    rmSync(own);
    await expectRefusal(['train', '--resume', out], 1, /own\.txt: there is no such file\. .*--text FILE/);
  });

  it('options that a run already has', () =>
    expectRefusal(
      ['train', '--resume', interrupted, '--units', '8'],
      2,
      /'--units <n>' cannot be used with '--resume'/,
    ));

  it('--previous on its own', () =>
    expectRefusal(['train', '--text', text, '--previous'], 2, /needs '--resume <dir>'/));

  it('a model that is not there yet', async () => {
    const out = copy();
    rmSync(join(out, 'model.json'));
    const newest = join(out, 'checkpoints', checkpointsIn(out).at(-1)!);
    await expectRefusal(
      ['generate', out, '--prime', 'The'],
      1,
      /no model yet: 'mneme train --resume .* its model so far/,
    );
    expect((await mneme(['generate', newest, '--prime', 'The ', '--length', '5'])).code).toBe(0);
  });

  it('a directory without a run', () =>
    expectRefusal(['train', '--resume', path('none')], 1, /no checkpoint to go on from/));

  it('a new run over one that was not finished, unless it may be removed', async () => {
    const out = copy();
    const before = checkpointsIn(out);
    await expectRefusal(run(out), 1, /not finished, up to step \d+: 'mneme train --resume .*--overwrite/);
    expect(checkpointsIn(out)).toEqual(before);
    expect((await mneme([...run(out), '--overwrite'])).code).toBe(0);
    expect(digestOf(out)).toBe(digestOf(undisturbed));
    expect((await mneme(run(out))).code).toBe(0);
  });
});

describe.skipIf(spawnSync('bash', ['-c', 'ulimit -f 4']).status !== 0)('where nothing can be written', () => {
  it('training goes on and says so; only the model that cannot be saved is a failure', async () => {
    const out = copy();
    const before = checkpointsIn(out);
    const result = await withLittleDisk(['train', '--resume', out, '--json']);
    expect(result.code).toBe(1);
    const told = jsonLines(result).filter((line) => line.checkpoint === null);
    expect(told.length).toBeGreaterThan(0);
    expect(told[0]).toEqual({
      checkpoint: null,
      step: expect.any(Number),
      error: expect.stringMatching(/Cannot write .*step-\d+: the file would be larger than is allowed here/),
    });
    expect(result.stderr).toMatch(/^mneme: The checkpoint of step \d+ was not written, training goes on\. /m);
    expect(result.stderr).toMatch(/^mneme: Cannot write .*larger than is allowed/m);
    expect(passesOf(result).at(-1)).toEqual(passesOf(expected).at(-1));
    expect(checkpointsIn(out)).toEqual(before);

    expect((await mneme(['train', '--resume', out])).code).toBe(0);
    expect(digestOf(out)).toBe(digestOf(undisturbed));
  });
});
