import { stripVTControlCharacters, styleText } from 'node:util';
import type { TestError, UserConsoleLog } from 'vitest';
import type { Reporter, TestCase, TestModule, TestSpecification, Vitest } from 'vitest/node';

import { mark, type Skipped, seconds } from './tally.ts';

/** One line for each group of test files as it ends, then the failures in full. */
export class TierReporter implements Reporter {
  readonly #tier: string;
  #vitest: Vitest | undefined;
  readonly #pending = new Map<string, number>();
  readonly #ended = new Map<string, TestModule[]>();

  constructor(tier: string) {
    this.#tier = tier;
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunStart(specifications: readonly TestSpecification[]): void {
    for (const one of specifications) {
      const group = groupOf(this.#tier, one.moduleId);
      this.#pending.set(group, (this.#pending.get(group) ?? 0) + 1);
    }
  }

  /** Figures that a test of a slower tier measured. */
  onUserConsoleLog({ type, content }: UserConsoleLog): void {
    if (this.#tier === 'unit' || type !== 'stdout') return;
    console.log(stripVTControlCharacters(content).trimEnd().replaceAll(/^/gm, '    '));
  }

  onTestModuleEnd(module: TestModule): void {
    const group = groupOf(this.#tier, module.moduleId);
    const ended = [...(this.#ended.get(group) ?? []), module];
    this.#ended.set(group, ended);
    if (ended.length === this.#pending.get(group)) console.log(groupLine(group, ended));
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly unknown[]): void {
    for (const module of modules) this.#printFailures(module);
    for (const error of unhandled) this.#vitest?.logger.printError(error);
  }

  #printFailures(module: TestModule): void {
    const failures = [
      { name: '', errors: module.errors() },
      ...[...module.children.allSuites()].map((suite) => ({ name: suite.fullName, errors: suite.errors() })),
      ...[...module.children.allTests('failed')].map((test) => ({
        name: test.fullName,
        errors: test.result().errors ?? [],
      })),
    ];
    for (const { name, errors } of failures) {
      for (const error of errors) {
        console.log(`\n${mark.failed} ${styleText('red', `${module.relativeModuleId} ${name}`.trimEnd())}`);
        this.#vitest?.logger.printError(readable(error), { project: module.project });
      }
    }
  }
}

/** Without the command of a failed child, whose whole environment would bury what the child said. */
function readable(error: TestError): TestError {
  const { command, stdout, stderr, ...rest } = error;
  return typeof stderr === 'string' ? { ...rest, stderr: stderr.slice(-3_000) } : rest;
}

/** Unit tests stand together by room; a file of a slower tier has a line of its own. */
function groupOf(tier: string, moduleId: string): string {
  const path = moduleId.slice(moduleId.lastIndexOf('/test/') + '/test/'.length).replace(/^[^/]+\//, '');
  return tier === 'unit' && path.includes('/')
    ? path.slice(0, path.indexOf('/'))
    : path.replace(/\.test\.ts$/, '');
}

function groupLine(group: string, modules: readonly TestModule[]): string {
  const tests = modules.flatMap((module) => [...module.children.allTests()]);
  const skipped = tests.filter((test) => test.result().state === 'skipped').length;
  const broken = modules.some((module) => module.state() === 'failed');
  const symbol = broken ? mark.failed : skipped === tests.length ? mark.skipped : mark.passed;
  const time = modules.reduce((total, module) => total + module.diagnostic().duration, 0);
  const counts = [`${tests.length} tests`, ...(skipped === 0 ? [] : [`${skipped} skipped`]), seconds(time)];
  return `  ${symbol} ${group} ${styleText('dim', counts.join(', '))}`;
}

/** The reason of a skip is the note given to `skip()`, else what its title says in brackets, as `describeWith` of the lab writes it. */
export function skipOf(tier: string, test: TestCase): Skipped {
  const result = test.result();
  const note = result.state === 'skipped' ? result.note : undefined;
  const bracketed = /\[(?:needs )?([^[\]]+)\]/.exec(test.fullName)?.[1];
  const place = test.module.relativeModuleId.replace(`test/${tier}/`, '').replace(/\.test\.ts$/, '');
  return {
    tier,
    name: `${place} > ${test.fullName.replace(/ \[[^[\]]+\]/, '')}`,
    reason: note ?? bracketed ?? 'marked as skipped in its file',
  };
}
