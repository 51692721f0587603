import { didYouMean, Failure } from '../../host/index.ts';
import { idOf, type Manifest } from '../../kubernetes/index.ts';
import { type Finding, type Level, RULES, type Rule } from './finding.ts';
import type { LiveFacts, Problem, RuleDefinition } from './rule.ts';
import { apiVersion, prune } from './rules/apis.ts';
import { autoscalerReplicas, autoscalerRequest, capacityDrop, disruptionBudget } from './rules/capacity.ts';
import { latestTag, nodePort, privileged } from './rules/exposure.ts';
import { drain, probes, qos, resources } from './rules/pods.ts';
import { quota } from './rules/quota.ts';
import { repeatedKey } from './rules/repeated-key.ts';
import { plainSecret, secretBase64 } from './rules/secrets.ts';
import { selectorService, selectorTemplate } from './rules/selectors.ts';
import { sceneOf } from './scene.ts';

/** Levels in place of the rules' own. */
export type RuleLevels = Readonly<Partial<Record<Rule, Level>>>;

/** The review of what the token may do finds by itself (access.ts); here it has its line in the table. */
const access: RuleDefinition = {
  name: 'access',
  level: 'error',
  finds: 'verbs that the run needs and the token does not have, all of them in one list',
  why: 'a run that stops half way leaves the namespace between two versions',
  fix: 'a Role with the verbs that the list names',
  find: () => [],
};

const BY_NAME: Readonly<Record<Rule, RuleDefinition>> = {
  'capacity-drop': capacityDrop,
  'selector-template': selectorTemplate,
  'selector-service': selectorService,
  resources,
  qos,
  probes,
  drain,
  'disruption-budget': disruptionBudget,
  'autoscaler-replicas': autoscalerReplicas,
  'autoscaler-request': autoscalerRequest,
  'node-port': nodePort,
  'plain-secret': plainSecret,
  'secret-base64': secretBase64,
  'repeated-key': repeatedKey,
  'latest-tag': latestTag,
  privileged,
  'api-version': apiVersion,
  prune,
  quota,
  access,
};

/** What each rule finds, at which level, why it matters and how it is mended, in the order of the tables. */
export const preflightRules: readonly Omit<RuleDefinition, 'find'>[] = RULES.map((name) => BY_NAME[name]);

const LEVELS: readonly Level[] = ['error', 'warning', 'notice', 'off'];

/** Reads lines of `rule=level`; a rule or a level that does not exist is a Failure with the nearest that does. */
export function parseRuleLevels(lines: readonly string[]): RuleLevels {
  return Object.fromEntries(
    lines.map((line) => {
      const [given = '', level = '', ...more] = line.split('=').map((part) => part.trim());
      const rule = RULES.find((one) => one === given);
      if (rule === undefined)
        throw new Failure(
          `Input "rules" has "${line}", but "${given}" is no rule; accepted are ${RULES.join(', ')}.${didYouMean(given, RULES)}`,
        );
      const known = LEVELS.find((one) => one === level);
      if (known === undefined || more.length > 0)
        throw new Failure(
          `Input "rules" has "${line}"; accepted is rule=level with a level of ${LEVELS.join(', ')}.${didYouMean(level, LEVELS)}`,
        );
      return [rule, known];
    }),
  );
}

/** Switches rules off for one object: names separated by commas, a reason behind a colon. */
export const IGNORE = 'slipway.dev/ignore';

/**
 * Judges manifests by all rules, in the order of the table: purely, over what is given. Without facts about the cluster
 * (`undefined`) the rules that need them are silent or say less; facts that could not be read are said as notices.
 */
export function lintManifests(
  manifests: readonly Manifest[],
  levels: RuleLevels = {},
  facts?: LiveFacts | undefined,
): readonly Finding[] {
  const scene = sceneOf(manifests, facts);
  const ignored = new Map(manifests.map((manifest) => [manifest, ignoredRules(manifest)]));
  return RULES.flatMap((name) => {
    const rule = BY_NAME[name];
    const level = levels[name] ?? rule.level;
    if (level === 'off') return [];
    return [...rule.find(scene)]
      .filter(({ manifest }) => manifest === undefined || !ignored.get(manifest)?.has(name))
      .map((problem) => toFinding(name, level, problem));
  });
}

function toFinding(rule: Rule, level: Exclude<Level, 'off'>, problem: Problem): Finding {
  const { manifest, path = [], message, fix, atMost = 'error' } = problem;
  const location = problem.location ?? manifest?.locate(path);
  return {
    rule,
    level: LEVELS.indexOf(atMost) > LEVELS.indexOf(level) ? atMost : level,
    object: problem.object ?? idOf(manifest!.object),
    message,
    ...(fix !== undefined && { fix }),
    ...(location !== undefined && { location }),
  };
}

function ignoredRules(manifest: Manifest): ReadonlySet<string> {
  const given = manifest.object.metadata.annotations?.[IGNORE];
  if (typeof given !== 'string') return new Set();
  const names = given
    .replace(/:.*$/s, '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  for (const name of names)
    if (!RULES.some((rule) => rule === name))
      throw new Failure(
        `The annotation ${IGNORE} names "${name}", which is no rule.${didYouMean(name, RULES)}`,
        {
          location: manifest.locate(['metadata', 'annotations', IGNORE]),
        },
      );
  return new Set(names);
}
