/** Every mistake a beginner makes gets one sentence on standard error and an exit code, never a stack. */
import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { mneme, workshop } from './mneme.js';

const { path, text } = workshop();
const model = path('model.mneme');
const tiny = ['--layers', '1', '--units', '4', '--embedding', '4', '--batch', '4', '--steps', '10'];

beforeAll(async () => {
  writeFileSync(path('latin1.txt'), Buffer.concat([Buffer.from('caf'), Buffer.from([0xe9]), Buffer.from(' au lait')]));
  writeFileSync(path('short.txt'), 'too short');
  writeFileSync(path('empty.txt'), '');
  mkdirSync(path('full'));
  writeFileSync(join(path('full'), 'letter.txt'), 'mine');
  expect((await mneme(['train', '--text', text, ...tiny, '--epochs', '1', '--out', model])).code).toBe(0);
});

const mistakes: readonly (readonly [name: string, args: () => string[], code: number, message: RegExp])[] = [
  ['an unknown command', () => ['trian'], 2, /unknown command 'trian'[\s\S]*train/],
  ['a misspelt option', () => ['train', '--text', text, '--unit', '3'], 2, /unknown option '--unit'[\s\S]*--units/],
  ['a missing option', () => ['train'], 2, /--text <file>' not specified/],
  ['a missing argument', () => ['generate', '--prime', 'a'], 2, /missing required argument 'dir'/],
  [
    'a word for a number',
    () => ['train', '--text', text, '--units', 'many'],
    2,
    /--units[\s\S]*whole number of at least 1/,
  ],
  [
    'a number out of range',
    () => ['train', '--text', text, '--dropout', '1'],
    2,
    /--dropout[\s\S]*at least 0 and below 1/,
  ],
  [
    'an unknown cell',
    () => ['train', '--text', text, '--cell', 'lstn'],
    2,
    /Allowed choices are lstm, graves, gru, mingru, minlstm, rnn/,
  ],
  ['two lengths', () => ['train', '--text', text, '--epochs', '1', '--seconds', '1'], 2, /cannot be used with/],
  ['a missing text', () => ['train', '--text', path('no.txt')], 1, /no\.txt: there is no such file/],
  ['a folder as a text', () => ['train', '--text', path('full')], 1, /is a directory/],
  ['a text that is not UTF-8', () => ['train', '--text', path('latin1.txt')], 1, /latin1\.txt.*UTF-8/],
  ['an empty text', () => ['train', '--text', path('empty.txt')], 1, /empty/],
  ['a text shorter than a batch', () => ['train', '--text', path('short.txt')], 1, /short\.txt has \d+ symbols/],
  [
    'shares that leave nothing',
    () => ['train', '--text', text, '--validation', '0.6', '--test', '0.4'],
    1,
    /nothing to train on/,
  ],
  [
    'a place below a file',
    () => ['train', '--text', text, '--out', join(text, 'm')],
    1,
    /a part of the path is a file/,
  ],
  [
    'a file as the place',
    () => ['train', '--text', text, '--out', path('short.txt')],
    1,
    /a part of the path is a file/,
  ],
  [
    'a folder of something else',
    () => ['train', '--text', text, '--out', path('full')],
    1,
    /exists and is not a model/,
  ],
  ['a model too large for memory', () => ['train', '--text', text, '--units', '1000000'], 1, /GiB/],
  ['a missing model', () => ['generate', path('none'), '--prime', 'a'], 1, /none/],
  ['a folder that is no model', () => ['generate', path('full'), '--prime', 'a'], 1, /model\.json/],
  ['an empty prime', () => ['generate', model, '--prime', ''], 1, /at least one character/],
  ['a prime with strange symbols', () => ['generate', model, '--prime', 'Thé'], 1, /'é' \(U\+00E9\) at position 2/],
  [
    'a text with strange symbols',
    () => ['evaluate', model, '--text', path('strange.txt')],
    1,
    /'ß' \(U\+00DF\) at position 3/,
  ],
];

describe('a sentence and an exit code for', () => {
  beforeAll(() => writeFileSync(path('strange.txt'), 'The'.concat('ß'.repeat(50))));

  it.each(mistakes)('%s', async (_, args, code, message) => {
    const result = await mneme([
      ...args(),
      ...(args()[0] === 'train' && !args().includes('--out') ? ['--out', path('unused')] : []),
    ]);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
    expect(result.stdout).not.toContain('The model is in');
    expect(result.code).toBe(code);
  });

  it('a truncated and a tampered model', async () => {
    const [name] = readdirSync(model).filter((file) => file.endsWith('.safetensors'));
    const file = join(model, name!);
    const whole = readFileSync(file);
    truncateSync(file, whole.length - 100);
    expect(await mneme(['generate', model, '--prime', 'The'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^mneme: .*truncated\?/),
    });
    writeFileSync(
      file,
      whole.map((byte, index) => (index === whole.length - 1 ? byte ^ 1 : byte)),
    );
    expect(await mneme(['generate', model, '--prime', 'The'])).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^mneme: .*not what was saved/),
    });
  });

  it('leaves a folder of something else as it was', () => expect(readdirSync(path('full'))).toEqual(['letter.txt']));

  it('shows the stack where MNEME_DEBUG asks for it', async () => {
    const { stderr } = await mneme(['generate', path('none'), '--prime', 'a'], { MNEME_DEBUG: '1' });
    expect(stderr).toMatch(/^\s+at /m);
  });
});
