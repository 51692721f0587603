// Sets the lab up: `npm run lab`, and before `npm test`. What is there is reused; what cannot be had costs one line, not the run.
import { mkdir } from 'node:fs/promises';
import { installBaseImages } from './install/base-images.ts';
import { installEngine } from './install/engine.ts';
import { installGoTools } from './install/go-tools.ts';
import { installPackages } from './install/packages.ts';
import { report, type Step } from './install/step.ts';
import { labBin } from './place.ts';

await mkdir(labBin, { recursive: true });
// Packages and engine come over the network while the Go tools compile.
const system = async () => [...(await installPackages()), await installEngine()];
const [fromSystem, fromGo] = await Promise.all([system(), installGoTools()]);
const steps: readonly Step[] = [...fromSystem, ...fromGo, await installBaseImages()];
report(steps);
