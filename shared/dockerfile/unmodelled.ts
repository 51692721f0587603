import type { Dockerfile, ResolvedStage, Warning } from './model.ts';
import { isGitReference } from './remote.ts';

/** What this room reads without knowing exactly what BuildKit makes of it. */
export function unmodelled(dockerfile: Dockerfile, stages: readonly ResolvedStage[]): Warning[] {
  const out: Warning[] = [];
  const { syntax } = dockerfile.directives;
  if (syntax !== undefined && !isKnownSyntax(syntax))
    out.push({ message: `the Dockerfile is written for the frontend ${syntax}`, lines: undefined });
  for (const stage of stages) {
    if (stage.platform.os !== 'linux')
      out.push({ message: `the stage is for ${stage.platform.os}`, lines: stage.lines });
    if (buildsOnDirectory(stage, stages))
      out.push({ message: 'the stage builds on a directory that was handed in', lines: stage.lines });
    for (const step of stage.steps)
      if (step.kind === 'add' && step.sources.some(isGitReference))
        out.push({ message: 'ADD takes a git repository', lines: step.lines });
  }
  return out;
}

/** The official frontend, whose behaviour this room has; experiments of its labs channel it has not. */
function isKnownSyntax(syntax: string): boolean {
  return /^(?:docker\.io\/)?docker\/dockerfile(?::[^@]*)?(?:@.*)?$/.test(syntax) && !syntax.includes('labs');
}

/** BuildKit makes layers and history of its own for such a base. */
function buildsOnDirectory(stage: ResolvedStage, stages: readonly ResolvedStage[]): boolean {
  const { base } = stage;
  if (base.kind === 'stage')
    return stages.find(({ index }) => index === base.index)?.base.kind === 'directory';
  return base.kind === 'directory' && stage.steps.length > 0;
}
