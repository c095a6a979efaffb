/**
 * A reporter that names the skipped tests at the end and, with MNEME_FORBID_SKIP=1 (continuous integration, where
 * everything a test may ask for is installed), makes a skip a failure.
 */
import type { Reporter, TestModule } from 'vitest/node';

export const skippedTests: Reporter = {
  onTestRunEnd(modules) {
    const skipped = modules.flatMap(skippedOf);
    if (skipped.length === 0) return;
    console.log(`${skipped.length} skipped:\n${skipped.map((name) => `  ${name}`).join('\n')}`);
    if (process.env.MNEME_FORBID_SKIP !== '1') return;
    console.error('MNEME_FORBID_SKIP=1 forbids skipped tests.');
    process.exitCode = 1;
  },
};

const skippedOf = (module: TestModule): string[] =>
  [...module.children.allTests()]
    .filter((test) => test.result().state === 'skipped')
    .map((test) => `${module.relativeModuleId}: ${test.fullName}`);
