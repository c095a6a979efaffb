/** The model in a directory, or what to do where its training has not come to an end. */
import { MnemeError } from '../errors.js';
import { checkpointsIn } from '../formats/checkpoint.js';
import { loadModel, type Model } from '../index.js';
import { checkpointsOf } from './resumption.js';

/** @throws {MnemeError} as `loadModel` does */
export async function trainedModel(directory: string): Promise<Model> {
  try {
    return await loadModel(directory);
  } catch (error) {
    if (!(error instanceof MnemeError) || error.code !== 'file-missing') throw error;
    const newest = (await checkpointsIn(checkpointsOf(directory)).catch(() => [])).at(-1);
    if (!newest) throw error;
    throw new MnemeError(
      'file-missing',
      `${directory} holds a run that was not finished and no model yet: 'mneme train --resume ${directory}' goes on ` +
        `with it, and ${newest.path} is its model so far.`,
      { cause: error },
    );
  }
}
