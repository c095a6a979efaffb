/** All losses: a new one is a file and a line here. */
import { cosine } from './cosine.js';
import { gaussianLikelihood } from './gaussian-likelihood.js';
import { hinge } from './hinge.js';
import { huber } from './huber.js';
import { kullbackLeibler } from './kullback-leibler.js';
import { logCosh } from './log-cosh.js';
import { meanAbsoluteError } from './mean-absolute-error.js';
import { meanAbsolutePercentageError } from './mean-absolute-percentage-error.js';
import { meanSquaredError } from './mean-squared-error.js';
import { meanSquaredLogarithmicError } from './mean-squared-logarithmic-error.js';
import { negativeLogLikelihood } from './negative-log-likelihood.js';
import { poisson } from './poisson.js';
import { quantile } from './quantile.js';
import { sigmoidCrossEntropy } from './sigmoid-cross-entropy.js';
import { softmaxCrossEntropy } from './softmax-cross-entropy.js';
import { squaredHinge } from './squared-hinge.js';

export const losses = {
  cosine,
  gaussianLikelihood,
  hinge,
  huber,
  kullbackLeibler,
  logCosh,
  meanAbsoluteError,
  meanAbsolutePercentageError,
  meanSquaredError,
  meanSquaredLogarithmicError,
  negativeLogLikelihood,
  poisson,
  quantile,
  sigmoidCrossEntropy,
  softmaxCrossEntropy,
  squaredHinge,
} as const;
