import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Ajv } from 'ajv';

interface Operation {
  readonly statuses: readonly string[];
  readonly query?: readonly string[];
  readonly body?: Record<string, unknown>;
}

/** What GitHub's own description of its API says of Deployments. */
const { operations } = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../fixtures/github/deployments.json'), 'utf8'),
) as { readonly operations: Readonly<Record<string, Operation>> };

const ajv = new Ajv({ strict: false });
const OPERATIONS = Object.entries(operations).map(([name, operation]) => {
  const [method, template] = name.split(' ') as [string, string];
  const path = new RegExp(`^${template.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
  // The description lets unknown fields pass, GitHub drops them: here a misspelt one is a fault.
  const check = operation.body && ajv.compile({ ...operation.body, additionalProperties: false });
  return { name, method, path, check, query: operation.query ?? [] };
});

export interface KeptDeployment {
  readonly id: number;
  readonly environment: string;
  readonly body: Record<string, unknown>;
  readonly statuses: Record<string, unknown>[];
}

/** An answer in place of the right one; with `after` set it is given when what was asked for has been done. */
export interface Fault {
  readonly status: number;
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly after?: boolean;
}

/** GitHub's API for Deployments: it keeps what it is given, and refuses what its description does not know. */
export class GithubApi implements AsyncDisposable {
  readonly deployments: KeptDeployment[] = [];
  /** `POST /repos/…`, in the order in which they came. */
  readonly calls: string[] = [];
  readonly tokens = new Set<string | undefined>();
  /** What was wrong with requests. */
  readonly faults: string[] = [];
  readonly #answers: Fault[];
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  private constructor(answers: readonly Fault[]) {
    this.#answers = [...answers];
  }

  /** `answers` are given to the first requests. */
  static async start(...answers: readonly Fault[]): Promise<GithubApi> {
    const api = new GithubApi(answers);
    await new Promise<void>((ready) => api.#server.listen(0, '127.0.0.1', ready));
    return api;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    this.calls.push(`${request.method} ${request.url}`);
    this.tokens.add(request.headers.authorization);
    const fault = this.#answers.shift();
    const answer = (status: number, body: unknown, headers = {}) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(body));
    const right = fault === undefined || fault.after ? this.#do(request, Buffer.concat(chunks)) : undefined;
    if (fault !== undefined) answer(fault.status, { message: fault.message ?? 'No' }, fault.headers);
    else answer(right!.status, right!.body);
  }

  #do(request: IncomingMessage, body: Buffer): { status: number; body: unknown } {
    const url = new URL(request.url!, this.url);
    const operation = OPERATIONS.find(
      ({ method, path }) => method === request.method && path.test(url.pathname),
    );
    if (operation === undefined) return this.#refuse(`${request.method} ${url.pathname} is no operation`);
    const unknown = [...url.searchParams.keys()].filter((name) => !operation.query.includes(name));
    if (unknown.length > 0) return this.#refuse(`${operation.name} knows no ${unknown.join(', ')}`);
    const given = body.length === 0 ? undefined : (JSON.parse(body.toString()) as Record<string, unknown>);
    if (operation.check !== undefined && !operation.check(given))
      return this.#refuse(`${operation.name}: ${ajv.errorsText(operation.check.errors)}`);
    if (typeof given?.description === 'string' && given.description.length > 140)
      return this.#refuse('description is too long (maximum is 140 characters)');
    if (operation.method === 'GET')
      return { status: 200, body: this.#list(url.searchParams.get('environment')) };
    const id = operation.path.exec(url.pathname)!.groups?.deployment_id;
    return id === undefined ? this.#create(given!) : this.#setStatus(Number(id), given!);
  }

  #refuse(why: string) {
    this.faults.push(why);
    return { status: 422, body: { message: why } };
  }

  #list = (environment: string | null) =>
    this.deployments
      .filter((one) => environment === null || one.environment === environment)
      .map(({ id, body }) => ({ ...body, id }));

  #create(body: Record<string, unknown>) {
    // The checks of the commit are those of the run itself: not over yet.
    if (!Array.isArray(body.required_contexts) || body.required_contexts.length > 0)
      return { status: 409, body: { message: 'Conflict: Commit status checks failed for main.' } };
    if (body.auto_merge !== false) return { status: 202, body: { message: 'Auto-merged main into it.' } };
    const deployment = {
      id: 100 + this.deployments.length,
      environment: String(body.environment ?? 'production'),
      body,
      statuses: [],
    };
    this.deployments.push(deployment);
    return { status: 201, body: { ...body, id: deployment.id } };
  }

  #setStatus(id: number, body: Record<string, unknown>) {
    const deployment = this.deployments.find((one) => one.id === id);
    if (deployment === undefined) return { status: 404, body: { message: 'Not Found' } };
    deployment.statuses.push(body);
    return { status: 201, body: { id: deployment.statuses.length, ...body } };
  }
}
