import type { Contender, Job } from './contender.ts';
import { tagOf } from './contender.ts';

/** `uses: slipway-dev/slipway/actions/docker-multistage@v1`, with its defaults but for `lift`. */
function slipway(id: string, name: string, lift: 'auto' | 'never'): Contender {
  return {
    id,
    name,
    builder: 'if used',
    pushes: true,
    run: (job) => multistage(job, { lift }),
  };
}

export const slipwayBuildKit = slipway('slipway-buildkit', 'Slipway, stage run by BuildKit', 'never');
export const slipwayLifted = slipway('slipway', 'Slipway, stage lifted', 'auto');

/** The program by go-build with its caches in the Actions cache, handed in as the stage. */
export const slipwayHandedIn: Contender = {
  id: 'slipway-go-build',
  name: 'Slipway, go-build and the stage handed in',
  builder: 'if used',
  pushes: true,
  async run(job) {
    const { runner, example, commit } = job;
    // The same program as the Dockerfile's, and no more than that: no bill of materials, no checksums.
    const build = {
      packages: example.package,
      targets: 'linux/amd64',
      'output-name': `{{os}}-{{arch}}/${example.output}{{name}}`,
      stamp: `main.version=${commit.version}`,
      sbom: 'false',
      checksums: 'off',
    };
    const built = await runner.action('go-build', 'go-build/main.mjs', build);
    const stages = `build=${built.outputs.directory}/{platform}`;
    await multistage(job, { stages });
    await runner.action('go-build post', 'go-build/post.mjs', build, built.state);
  },
};

/** The action's main step and, as the runner does at the end of a job, its post step. */
async function multistage(job: Job, more: Readonly<Record<string, string>>): Promise<void> {
  const { runner } = job;
  const given = { ...inputs(job), ...more };
  const { state } = await runner.action('docker-multistage', 'docker-multistage/main.mjs', given);
  await runner.action('docker-multistage post', 'docker-multistage/post.mjs', given, state);
}

function inputs(job: Job): Record<string, string> {
  return {
    ...(job.services === undefined
      ? { file: job.example.dockerfile, tags: tagOf(job) }
      : services(job, job.services)),
    push: 'true',
    labels: lines(job.labels),
    // As for all contenders: it is the image alone that is made.
    lint: 'false',
  };
}

function services({ example, repository }: Job, names: readonly string[]): Record<string, string> {
  const images = names.map((name) => `${name}=context=${name},file=${name}/${example.dockerfile}`);
  return { images: images.join('\n'), tags: `${repository}/{name}:latest` };
}

const lines = (values: Readonly<Record<string, string>>) =>
  Object.entries(values)
    .map(([key, value]) => `${key}=${value}`)
    .join('\n');
