// The servers that a runner talks to, and the network to them, in a process of their own: what measures must not carry what is measured.
import type { AddressInfo } from 'node:net';
import { CacheService } from '../../lab/cache-service.ts';
import { shapes } from './link.ts';
import { serveModules } from './module-server.ts';
import type { Answer, Question } from './network.ts';
import { cacheKind, MeteringProxy, moduleKind, Network, registryKind } from './proxy.ts';

const network = new Network();
const caches = new Map<string, { readonly service: CacheService; readonly proxy: MeteringProxy }>();
let registry: MeteringProxy | undefined;
let modules: MeteringProxy | undefined;

async function answer(question: Question): Promise<unknown> {
  switch (question.ask) {
    case 'modules': {
      const { port } = (await serveModules(question.directory)).address() as AddressInfo;
      modules = await MeteringProxy.start(`http://127.0.0.1:${port}`, network, moduleKind);
      return modules.host;
    }
    case 'registry':
      await registry?.[Symbol.asyncDispose]();
      registry = await MeteringProxy.start(`http://${question.host}`, network, registryKind);
      return registry.host;
    case 'cache': {
      const service = await CacheService.start();
      const proxy = await MeteringProxy.start(service.url, network, cacheKind);
      service.publicUrl = `http://${proxy.host}/`;
      caches.set(question.name, { service, proxy });
      return service.publicUrl;
    }
    case 'forget caches':
      for (const { service, proxy } of caches.values()) {
        await proxy[Symbol.asyncDispose]();
        await service[Symbol.asyncDispose]();
      }
      caches.clear();
      return undefined;
    case 'shape':
      network.shape(shapes[question.shape]);
      return undefined;
    case 'traffic':
      return {
        registry: registry?.take(),
        cache: caches.get(question.cache)?.proxy.take(),
        modules: modules?.take(),
      };
  }
}

process.on('message', ({ id, question }: { id: number; question: Question }) => {
  answer(question).then(
    (value) => process.send!({ id, value } satisfies Answer),
    (error: Error) => process.send!({ id, error: error.message } satisfies Answer),
  );
});
// The bench ended, however it did.
process.on('disconnect', () => process.exit());
