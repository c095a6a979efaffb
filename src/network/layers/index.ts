/** All layers by the name they have in a model file: a new layer is a file and a line here. */
import { activation } from './activation.js';
import { alphaDropout } from './alpha-dropout.js';
import { bidirectional } from './bidirectional.js';
import { dense } from './dense.js';
import { dropout } from './dropout.js';
import { embedding } from './embedding.js';
import { gatedLinearUnit } from './gated-linear-unit.js';
import { gaussianDropout } from './gaussian-dropout.js';
import { gaussianNoise } from './gaussian-noise.js';
import { gravesLstm } from './graves-lstm.js';
import { gru } from './gru.js';
import { indRnn } from './ind-rnn.js';
import { lastStep } from './last-step.js';
import { layerNormalization } from './layer-normalization.js';
import { lstm } from './lstm.js';
import { minGru } from './min-gru.js';
import { minLstm } from './min-lstm.js';
import { oneHot } from './one-hot.js';
import { parametricRelu } from './parametric-relu.js';
import { randomizedRelu } from './randomized-relu.js';
import { scan } from './scan.js';
import { simpleRnn } from './simple-rnn.js';
import { spatialDropout } from './spatial-dropout.js';

export const layers = {
  activation,
  alphaDropout,
  bidirectional,
  dense,
  dropout,
  embedding,
  gaussianDropout,
  gaussianNoise,
  gatedLinearUnit,
  gravesLstm,
  gru,
  indRnn,
  lastStep,
  layerNormalization,
  lstm,
  minGru,
  minLstm,
  oneHot,
  parametricRelu,
  randomizedRelu,
  scan,
  simpleRnn,
  spatialDropout,
} as const;
