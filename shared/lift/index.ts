/** Reads the stages of a Dockerfile that compile Go, so that the go room can do their work without a container. */
export type { ContextFiles } from './context.ts';
export { differences, factsOf, type GoBuildFacts } from './differences.ts';
export type { GoCommand } from './go-command.ts';
export { type GoStageReading, readGoStage } from './go-stage.ts';
export { type GoBuilds, type LiftOptions, liftStages } from './lifted-stages.ts';
export type { GoProgram } from './programs.ts';
export { type RecipeReading, readRecipe } from './recipe.ts';
