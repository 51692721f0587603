// Plans the image of the folder that it is given, keys included, and prints the digest of its key.
import { join } from 'node:path';
import { planImage } from '../../shared/image/index.ts';

const context = process.argv[2]!;
const platform = { os: 'linux', architecture: 'amd64' };
const plan = await planImage(
  {
    workspace: context,
    context,
    dockerfile: join(context, 'Dockerfile'),
    target: undefined,
    platforms: [platform],
    buildPlatform: platform,
    buildArgs: {},
    labels: {},
    annotations: [],
    contexts: {},
    handedIn: {},
    compression: 'gzip',
    level: undefined,
    mediaTypes: 'oci',
    epoch: 0,
    state: undefined,
    cache: join(context, '.slipway'),
    builderOnly: undefined,
  },
  () => {
    throw new Error('There is no base to ask for.');
  },
  join(context, '.slipway'),
);
const { known, read } = plan.digests.blobs.counts;
console.log(JSON.stringify({ key: plan.key?.digest, known, read }));
