/** The checkpoint that a run goes on from. */
import { MnemeError } from '../errors.js';
import { type Checkpoint, checkpointsIn, readCheckpoint } from '../formats/checkpoint.js';

/**
 * @param choice the newest one, or the newest whole one before it
 * @param remedy how the user says `previous`, for messages
 * @returns undefined where there is none
 * @throws {MnemeError} `file-invalid`: what is wrong with it, and the remedy
 */
export async function chooseCheckpoint(
  directory: string,
  choice: 'latest' | 'previous',
  remedy: string,
): Promise<Checkpoint | undefined> {
  const places = await checkpointsIn(directory);
  const newest = places.pop();
  if (!newest) return undefined;
  if (choice === 'latest') {
    try {
      return await readCheckpoint(newest.path);
    } catch (error) {
      const before = places.at(-1);
      if (!isDamage(error)) throw error;
      const advice = before
        ? `${remedy} goes on from the one before it, ${before.name}.`
        : 'There is none before it: begin anew.';
      throw new MnemeError('file-invalid', `${error.message} ${advice}`, { cause: error });
    }
  }
  for (const place of places.reverse()) {
    try {
      return await readCheckpoint(place.path);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }
  throw new MnemeError('file-missing', `${directory} holds no whole checkpoint before ${newest.name}.`);
}

const isDamage = (error: unknown): error is MnemeError => error instanceof MnemeError && error.code === 'file-invalid';
