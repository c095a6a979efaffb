/** All losses: a new one is a file and a line here. */
import { meanSquaredError } from './mean-squared-error.js';
import { sigmoidCrossEntropy } from './sigmoid-cross-entropy.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';

export const losses = { meanSquaredError, sigmoidCrossEntropy, softmaxCrossEntropy } as const;
