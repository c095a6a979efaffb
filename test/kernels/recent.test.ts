/** What the kernels keep between calls is bounded. */
import { expect, test } from 'vitest';
import { Recent } from '../../src/kernels/recent.js';

test('a value is made once, and the one unused for longest is dropped where there are too many', () => {
  const made: string[] = [];
  const dropped: string[] = [];
  const recent = new Recent<string, string>(2, (value) => dropped.push(value));
  const get = (key: string) =>
    recent.get(key, () => {
      made.push(key);
      return key.toUpperCase();
    });
  expect([get('a'), get('b'), get('a'), get('c'), get('a'), get('b')]).toEqual(['A', 'B', 'A', 'C', 'A', 'B']);
  expect(made).toEqual(['a', 'b', 'c', 'b']);
  expect(dropped).toEqual(['B', 'C']);
});
