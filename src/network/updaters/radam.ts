/** Adaptive moments once there are enough of them. */
import { lerp } from '../../compute/expression.js';
import { epsilon, kept, learningRate } from './options.js';
import { updater } from './updater.js';

/**
 * Rectified Adam (Liu et al. 2020, algorithm 2): while the variance of the second moment cannot be told yet, steps are
 * those of a bias-corrected momentum; then those of Adam, times what the variance allows.
 *
 *     ρ∞ = 2 / (1 - beta2) - 1          ρ = ρ∞ - 2·t·beta2^t / (1 - beta2^t)
 *     ρ > 5:  parameter -= learningRate·r·m̂·sqrt(1 - beta2^t) / (sqrt(v) + epsilon),
 *             r² = (ρ - 4)·(ρ - 2)·ρ∞ / ((ρ∞ - 4)·(ρ∞ - 2)·ρ)
 *     else:   parameter -= learningRate·m̂
 *
 * The bound of 5 and the place of epsilon are PyTorch's; the paper has 4 and no epsilon.
 *
 * @param options `learningRate`: default 1e-3; `beta1`: default 0.9; `beta2`: default 0.999; `epsilon`: default 1e-8
 * @throws {MnemeError} `invalid-option`
 * @example
 * updaters.radam({ learningRate: 2e-3 });
 */
export const radam = updater('radam', {
  options: { learningRate: learningRate(1e-3), beta1: kept(0.9), beta2: kept(0.999), epsilon: epsilon(1e-8) },
  states: { firstMoment: 0, secondMoment: 0 },
  scalars: ({ learningRate, beta1, beta2 }, iteration) => {
    const power = beta2 ** iteration;
    const longest = 2 / (1 - beta2) - 1;
    const length = longest - (2 * iteration * power) / (1 - power);
    const corrected = learningRate / (1 - beta1 ** iteration);
    if (length <= 5) return { rate: corrected, adaptive: 0 };
    const ratio = ((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length);
    return { rate: corrected * Math.sqrt(ratio * (1 - power)), adaptive: 1 };
  },
  step: ({ gradient, firstMoment, secondMoment, rate, adaptive }, { beta1, beta2, epsilon }) => {
    const first = lerp(firstMoment, gradient, beta1);
    const second = lerp(secondMoment, gradient.square(), beta2);
    const root = adaptive.select(second.sqrt().add(epsilon), 1);
    return { firstMoment: first, secondMoment: second, change: first.mul(rate).div(root) };
  },
});
