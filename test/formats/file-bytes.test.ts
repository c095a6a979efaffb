/** What lies where a file is expected: nothing of it holds the reader up, or takes more memory than it has bytes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { readBytes } from '../../src/formats/file-bytes.js';

const directory = mkdtempSync(join(tmpdir(), 'mneme-bytes-'));
afterAll(() => rmSync(directory, { recursive: true }));
const place = (name: string): string => join(directory, name);

it('a file gives its bytes, through a link too', async () => {
  writeFileSync(place('file'), Buffer.from([1, 2, 3]));
  symlinkSync('file', place('link'));
  expect(await readBytes(place('link'))).toEqual(Uint8Array.of(1, 2, 3));
});

it.skipIf(process.platform === 'win32')(
  'a pipe that nobody writes to, and a device without end, are no files',
  async () => {
    execFileSync('mkfifo', [place('pipe')]);
    for (const path of [place('pipe'), '/dev/zero']) {
      await expect(readBytes(path)).rejects.toMatchObject({ code: 'file-missing', message: `${path} is no file.` });
    }
  },
);

it('a directory, a circle of links, a name too long and nothing at all are told as what they are', async () => {
  mkdirSync(place('folder'));
  symlinkSync('circle', place('circle'));
  for (const name of ['folder', 'circle', 'x'.repeat(300), 'absent', 'a\0b']) {
    await expect(readBytes(place(name))).rejects.toMatchObject({
      code: 'file-missing',
      message: expect.stringContaining(place(name)),
    });
  }
});

it('a file larger than any memory is refused before anything is read', async () => {
  writeFileSync(place('sparse'), '');
  truncateSync(place('sparse'), 2 ** 43);
  await expect(readBytes(place('sparse'))).rejects.toMatchObject({
    code: 'out-of-memory',
    message: expect.stringContaining('8192.0 GiB'),
  });
});
