// Sets the lab up: `npm run lab`, and before `npm test`. What is there is reused; what cannot be had costs one line, not the run.
import { mkdir } from 'node:fs/promises';
import { installBaseImages } from './install/base-images.ts';
import { installEngine } from './install/engine.ts';
import { installGoTools } from './install/go-tools.ts';
import { installKubernetes } from './install/kubernetes.ts';
import { installPackages } from './install/packages.ts';
import { report, type Step } from './install/step.ts';
import { labBin } from './place.ts';

await mkdir(labBin, { recursive: true });
// Packages and engine come over the network while Go compiles. Kubernetes takes the longest by far, so it is the last.
const system = async () => [...(await installPackages()), await installEngine()];
const compiled = async () => [...(await installGoTools()), ...(await installKubernetes())];
const [fromSystem, fromGo] = await Promise.all([system(), compiled()]);
const steps: readonly Step[] = [...fromSystem, ...fromGo, await installBaseImages()];
report(steps);
