// The lab: real parts for tests. `npm run lab` sets them up; here they are found, started and stopped.
export { runWorkflow, type WorkflowRun } from './act.ts';

export { type BaseImages, baseImages } from './base-images.ts';
export { type BuildKit, buildkit, forgetSteps, freshBuildkit } from './buildkit.ts';
export { type Checkout, freshClone, freshHome } from './checkout.ts';
export { type Container, startContainer } from './container.ts';
export { containerdEngine, docker, type Engine, engine } from './engine.ts';
export {
  type Access,
  type ClusterUser,
  type KubernetesCluster,
  kubernetes,
  type Rule,
} from './kubernetes/cluster.ts';
export { type FakeNodeGroup, type FakeNodes, fakeNodes } from './kubernetes/fake-nodes.ts';
export type { ProgramImage, PublishedImage } from './kubernetes/images.ts';
export {
  type KubernetesNetwork,
  kubernetesNetwork,
  type Load,
  type LoadResult,
} from './kubernetes/network.ts';
export { type KubernetesRegistry, kubernetesRegistry, privateRegistry } from './kubernetes/registry.ts';
export { describeWith, type Missing, type Part } from './part.ts';
export { account, freshRegistry, type Registry, registry } from './registry.ts';
export { openSession } from './session.ts';
export { act, buildx, crane, go, ko, kubectl, skopeo, type Tool } from './tools.ts';
