import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import {
  createIgnore,
  type LintOptions,
  lint,
  lintRules,
  parseDockerfile,
} from '../../../shared/dockerfile/index.ts';

const find = (text: string, options: LintOptions = {}) => lint(parseDockerfile(text, 'Dockerfile'), options);
const rulesOf = (text: string, options: LintOptions = {}) =>
  find(text, options).map(({ rule, lines }) => `${rule} ${lines.start}`);

const digest = `@sha256:${'a'.repeat(64)}`;
const final = `FROM scratch\nUSER 1\n`;

/** What the rules find, and what they leave alone; the rule is the key. */
const cases: Readonly<
  Record<
    string,
    { readonly bad: readonly string[]; readonly good: readonly string[]; readonly options?: LintOptions }
  >
> = {
  'latest-tag': {
    bad: ['FROM golang\nUSER 1\n', 'FROM golang:latest\nUSER 1\n', 'ARG T=latest\nFROM golang:$T\nUSER 1\n'],
    good: [
      'FROM golang:1.26\nUSER 1\n',
      `FROM golang${digest}\nUSER 1\n`,
      final,
      'ARG T\nFROM golang:$T\nUSER 1\n',
    ],
  },
  'unpinned-base': {
    bad: ['FROM golang:1.26\nUSER 1\n'],
    good: [`FROM golang:1.26${digest}\nUSER 1\n`, `FROM golang:1.26${digest} AS a\nFROM a\nUSER 1\n`, final],
  },
  'duplicate-stage': {
    bad: [`FROM scratch AS a\nFROM scratch AS A\nUSER 1\n`],
    good: [`FROM scratch AS a\n${final}`],
  },
  'reserved-stage': {
    bad: [`FROM scratch AS context\n${final}`],
    good: [`FROM scratch AS contexts\n${final}`],
  },
  'stage-name-case': { bad: [`FROM scratch AS Build\n${final}`], good: [`FROM scratch AS build\n${final}`] },
  'from-as-case': { bad: [`FROM scratch as build\n${final}`], good: [`from scratch as build\nuser 1\n`] },
  'instruction-case': { bad: [`${final}cmd ["a"]\n`], good: [`from scratch\nuser 1\n`] },
  'redundant-platform': {
    bad: [`FROM --platform=$TARGETPLATFORM alpine:3\nUSER 1\n`],
    good: [`FROM --platform=$BUILDPLATFORM alpine:3 AS b\n${final}`],
  },
  'constant-platform': {
    bad: ['FROM --platform=linux/amd64 alpine:3\nUSER 1\n'],
    good: [`FROM --platform=linux/arm64 alpine:3 AS build-arm64\n${final}`],
  },
  'undefined-from-argument': {
    bad: ['ARG VERSION=3\nFROM alpine:$VERSON\nUSER 1\n'],
    good: [
      'ARG VERSION=3\nFROM alpine:$VERSION\nUSER 1\n',
      'FROM --platform=$BUILDPLATFORM alpine:3\nUSER 1\n',
    ],
  },
  'invalid-default-base': {
    bad: ['ARG V\nFROM alpine:$V\nUSER 1\n'],
    good: ['ARG V=3\nFROM alpine:$V\nUSER 1\n'],
  },
  'root-user': {
    bad: [
      'FROM scratch\n',
      'FROM alpine:3\nUSER 1\nUSER root\n',
      'FROM alpine:3\nUSER 0:0\n',
      `${final.replace('scratch', 'scratch AS a')}FROM scratch\n`,
    ],
    good: [
      final,
      'FROM scratch AS a\nUSER 1\nFROM a\n',
      'FROM gcr.io/distroless/static-debian12:nonroot\n',
      'FROM cgr.dev/chainguard/static:1\n',
    ],
  },
  'oversized-base': {
    bad: [
      'FROM golang:1.26\nUSER 1\nRUN go build -o /app\nCMD ["/app"]\n',
      'FROM golang:1.26 AS build\nRUN CGO_ENABLED=0 go build -o /app\nFROM debian:12\nCOPY --from=build /app /app\nUSER 1\nENTRYPOINT ["/app"]\n',
      'FROM golang:1.26 AS build\nENV CGO_ENABLED=0\nRUN go build -o /app\nFROM alpine:3\nCOPY --from=0 /app /app\nUSER 1\nCMD ["/app"]\n',
    ],
    good: [
      'FROM golang:1.26 AS build\nRUN CGO_ENABLED=0 go build -o /app\nFROM debian:12\nRUN apt-get update\nCOPY --from=build /app /app\nUSER 1\nENTRYPOINT ["/app"]\n',
      'FROM golang:1.26 AS build\nRUN go build -o /app\nFROM debian:12\nCOPY --from=build /app /app\nUSER 1\nENTRYPOINT ["/app"]\n',
      'FROM golang:1.26 AS build\nRUN CGO_ENABLED=0 go build -o /app\nFROM scratch\nCOPY --from=build /app /app\nUSER 1\nENTRYPOINT ["/app"]\n',
    ],
  },
  'shell-form': {
    bad: [`${final}CMD app --flag\n`, `${final}ENTRYPOINT app\n`],
    good: [`${final}CMD ["app", "--flag"]\n`, `${final}SHELL ["bash", "-c"]\nCMD app\n`],
  },
  'repeated-instruction': {
    bad: [`${final}CMD ["a"]\nCMD ["b"]\n`],
    good: [`FROM scratch AS a\nCMD ["a"]\nFROM a\nUSER 1\nCMD ["b"]\n`],
  },
  maintainer: { bad: [`${final}MAINTAINER me\n`], good: [`${final}LABEL maintainer=me\n`] },
  'relative-workdir': {
    bad: [`${final}WORKDIR src\n`],
    good: [
      `${final}WORKDIR /src\nWORKDIR cmd\n`,
      `${final}WORKDIR $HOME\n`,
      `FROM scratch AS a\nWORKDIR /a\nFROM a\nUSER 1\nWORKDIR b\n`,
    ],
  },
  'legacy-key-value': { bad: [`${final}ENV a b c\n`], good: [`${final}ENV a="b c"\n`] },
  'expose-format': { bad: [`${final}EXPOSE 80:8080\n`], good: [`${final}EXPOSE 8080\n`] },
  'expose-case': { bad: [`${final}EXPOSE 80/TCP\n`], good: [`${final}EXPOSE 80/tcp\n`] },
  'empty-continuation': { bad: [`${final}RUN a \\\n\n  b\n`], good: [`${final}RUN a \\\n  # c\n  b\n`] },
  'add-for-copy': {
    bad: [`${final}ADD app /app\n`, `${final}ADD --chown=1 a b /c/\n`],
    good: [
      `${final}ADD app.tar.gz /\n`,
      `${final}ADD https://x.example/a /a\n`,
      `${final}ADD $FILE /a\n`,
      `${final}ADD https://x.example/a.git /a\n`,
    ],
  },
  'missing-dockerignore': {
    bad: [`${final}COPY . .\n`, `${final}ADD ./ /src/\n`],
    good: [`${final}COPY cmd cmd/\n`, `FROM scratch AS a\nFROM scratch\nUSER 1\nCOPY --from=a . .\n`],
    options: { context: { ignore: undefined } },
  },
  'ignored-source': {
    bad: [`${final}COPY out/app /app\n`, `${final}COPY ./README.md /\n`],
    good: [`${final}COPY src /src\n`, `${final}COPY . .\n`],
    options: { context: { ignore: createIgnore('out\n*.md') } },
  },
  'secret-file': {
    bad: [
      `${final}COPY .env /app/\n`,
      `${final}COPY certs/tls.key /etc/\n`,
      `${final}COPY .ssh /root/.ssh\n`,
    ],
    good: [
      `${final}COPY .env.example /app/\n`,
      `${final}COPY certs/tls.crt /etc/\n`,
      `${final}COPY keys.go /src/\n`,
      `${final}ADD https://x.example/a.key /k\n`,
    ],
  },
  'world-writable': {
    bad: [
      `${final}COPY --chmod=777 a b\n`,
      `${final}RUN chmod -R 0777 /data\n`,
      `${final}RUN chmod a+rwx /data\n`,
    ],
    good: [
      `${final}COPY --chmod=755 a b\n`,
      `${final}RUN chmod 1777 /tmp\n`,
      `${final}RUN chmod u+w /data\n`,
    ],
  },
  'copy-before-download': {
    bad: [
      `${final}COPY . .\nRUN go mod download\n`,
      `${final}COPY . .\nRUN go build ./...\n`,
      `${final}COPY . .\nRUN npm ci\n`,
    ],
    good: [
      `${final}COPY go.mod go.sum ./\nRUN go mod download\nCOPY . .\nRUN go build ./...\n`,
      `${final}COPY . .\nRUN --mount=type=cache,target=/go/pkg/mod go build ./...\n`,
      `${final}RUN --mount=type=bind,target=. go build ./...\n`,
    ],
  },
  'folder-destination': {
    bad: [`${final}COPY a b /c\n`],
    good: [`${final}COPY a b /c/\n`, `${final}COPY a b .\n`, `${final}COPY a* /c\n`],
  },
  'package-cache': {
    bad: [
      `${final}RUN apt-get update && apt-get install -y --no-install-recommends curl\n`,
      `${final}RUN apk add curl\n`,
      'FROM alpine:3 AS a\nRUN apk add curl\nFROM a\nUSER 1\n',
      `${final}RUN pip3 install x\n`,
      `${final}RUN dnf -y install x\n`,
      `${final}RUN set -ex; \\\n  npm ci\n`,
    ],
    good: [
      `${final}RUN apt-get update && apt-get install -y --no-install-recommends curl && rm -rf /var/lib/apt/lists/*\n`,
      `${final}RUN --mount=type=cache,target=/var/lib/apt apt-get install -y --no-install-recommends curl\n`,
      `${final}RUN apk add --no-cache curl\n`,
      `${final}RUN pip install --no-cache-dir x\n`,
      `${final}RUN dnf install -y x && dnf clean all\n`,
      // What a stage leaves that is thrown away is in no image.
      `FROM alpine:3 AS a\nRUN apk add curl\n${final}`,
      `${final}RUN echo apk add curl\n`,
    ],
  },
  'stale-package-index': {
    bad: [`${final}RUN apt-get update\n`],
    good: [`${final}RUN apt-get update && apt-get install -y x\n`],
  },
  'apt-assume-yes': {
    bad: [`${final}RUN apt-get install curl\n`],
    good: [
      `${final}RUN apt-get -y install curl\n`,
      `${final}RUN apt-get install -qqy curl\n`,
      `${final}RUN apt-get install --yes curl\n`,
    ],
  },
  'apt-recommends': {
    bad: [`${final}RUN apt-get install -y curl\n`],
    good: [`${final}RUN apt-get install -y --no-install-recommends curl\n`],
  },
  'apt-get': { bad: [`${final}RUN apt install -y curl\n`], good: [`${final}RUN apt-get install -y curl\n`] },
  'package-upgrade': {
    bad: [`${final}RUN apt-get -y upgrade\n`, `${final}RUN apk upgrade\n`],
    good: [`${final}RUN apt-get install -y upgrade\n`],
  },
  'cd-in-run': {
    bad: [`${final}RUN cd /src && make\n`],
    good: [`${final}RUN make -C /src\n`, `${final}RUN make && cd /src\n`],
  },
  sudo: { bad: [`${final}RUN sudo make\n`, `${final}RUN a && sudo b\n`], good: [`${final}RUN echo sudo\n`] },
  'pipe-to-shell': {
    bad: [`${final}RUN curl -fsSL https://x.example/i.sh | sh\n`, `${final}RUN wget -qO- x | bash -s -- y\n`],
    good: [`${final}RUN curl x | tar x\n`, `${final}RUN curl x; sh y\n`],
  },
  'chown-in-run': {
    bad: [`${final}RUN chown -R 1:1 /app\n`],
    good: [`${final}RUN chown 1 /app/x\n`, `FROM scratch AS a\nRUN chown -R 1 /a\n${final}`],
  },
  'build-cache-mount': {
    bad: [`${final}RUN CGO_ENABLED=0 go build ./...\n`, `${final}RUN <<EOF\nset -e\ngo build ./...\nEOF\n`],
    good: [
      `${final}RUN --mount=type=cache,target=/root/.cache/go-build go build ./...\n`,
      `${final}RUN go version\n`,
    ],
  },
  'secret-in-variable': {
    bad: [`${final}ARG GITHUB_TOKEN\n`, `${final}ENV DB_PASSWORD=x\n`],
    good: [`${final}ENV TOKEN_FILE=/run/x\n`, `${final}ARG TOKENS\n`, `${final}ENV PUBLIC_KEY=x\n`],
  },
  'undefined-variable': {
    bad: [
      `${final}ENV VERSION=1\nLABEL v=$VERSON\n`,
      `ARG V=1\n${final}LABEL v=$V\n`,
      `FROM alpine:3\nUSER 1\nARG APP_HOME\nWORKDIR $APP_HOM\n`,
    ],
    good: [
      'FROM golang:1.26\nUSER 1\nWORKDIR $GOPATH/src\n',
      `${final}ARG V\nLABEL v=$V\n`,
      `${final}LABEL p=$PATH\n`,
      `FROM alpine:3\nUSER 1\nWORKDIR $HOME\n`,
      `FROM scratch AS a\nENV X=1\nFROM a\nUSER 1\nLABEL x=$X\n`,
    ],
  },
};

describe('lint', () => {
  it('has a case for every rule', () => {
    expect(Object.keys(cases).sort()).toEqual(lintRules.map((rule) => rule.name).sort());
  });

  describe.each(Object.entries(cases))('%s', (rule, { bad, good, options = {} }) => {
    it.each(bad)('finds %j', (text) => {
      expect(find(text, options).map((one) => one.rule)).toContain(rule);
    });
    it.each(good)('leaves alone %j', (text) => {
      expect(find(text, options).map((one) => one.rule)).not.toContain(rule);
    });
  });

  it('finds nothing in a Dockerfile as it should be', () => {
    const text = `# syntax=docker/dockerfile:1
FROM --platform=$BUILDPLATFORM golang:1.26${digest} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
COPY . .
ARG TARGETOS TARGETARCH
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \\
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -o /out/app ./cmd/app

FROM gcr.io/distroless/static-debian12:nonroot${digest}
COPY --from=build /out/app /app
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["/app"]
`;
    expect(find(text, { context: { ignore: createIgnore('.git') } })).toEqual([]);
  });

  it('gives findings in the order of their lines, each with its fix', () => {
    const findings = find('FROM golang\nADD a b\nCMD app -x\n');
    expect(findings.map(({ rule, level, lines }) => [rule, level, lines.start])).toEqual([
      ['latest-tag', 'warning', 1],
      ['root-user', 'warning', 1],
      ['oversized-base', 'warning', 1],
      ['add-for-copy', 'warning', 2],
      ['shell-form', 'warning', 3],
    ]);
    expect(findings.at(-1)!.fix).toBe('Write CMD ["app", "-x"].');
    expect(findings[3]!.fix).toBe('Write COPY a b.');
  });

  it('takes levels from its options, and refuses a rule or level that does not exist', () => {
    expect(find('FROM scratch\n', { levels: { 'root-user': 'error' } })).toMatchObject([{ level: 'error' }]);
    expect(find('FROM scratch\n', { levels: { 'root-user': 'off' } })).toEqual([]);
    expect(() => find(final, { levels: { 'rot-user': 'off' } })).toThrow(
      '"rot-user" is no rule of the Dockerfile lint. Did you mean "root-user"?',
    );
    expect(() => find(final, { levels: { 'root-user': 'warn' as 'off' } })).toThrow(
      'accepted are error, warning, notice, off.',
    );
  });

  it.each([
    ['# slipway-ignore add-for-copy'],
    ['# slipway-ignore shell-form, add-for-copy: it is an archive without its name'],
    ['# slipway-ignore'],
    ['# hadolint ignore=DL3006,DL3020'],
    ['# hadolint ignore=DL3020 # reason'],
  ])('is off for the instruction below %j', (comment) => {
    expect(rulesOf(`${final}${comment}\nADD a b\nADD c d\n`)).toEqual(['add-for-copy 5']);
  });

  it.each([
    ['# slipway-ignore-all'],
    ['# slipway-ignore shell-form'],
    ['# hadolint ignore=DL3025'],
    ['# slipway-ignore add-for-copy\n#'],
  ])('is on below %j', (comment) => {
    expect(rulesOf(`${final}${comment}\nADD a b\n`).some((one) => one.startsWith('add-for-copy'))).toBe(true);
  });

  it("obeys BuildKit's switches for the checks that BuildKit has", () => {
    const text = `${final}CMD app\nMAINTAINER me\n`;
    expect(rulesOf(text)).toEqual(['shell-form 3', 'maintainer 4']);
    expect(rulesOf(`# check=skip=JSONArgsRecommended\n${text}`)).toEqual(['maintainer 5']);
    expect(rulesOf(`# check=skip=all\n${text}ADD a b\n`)).toEqual(['add-for-copy 6']);
    expect(find(`# check=error=true\n${text}`).map((one) => one.level)).toEqual(['error', 'error']);
    expect(rulesOf(`${final}# check=skip=JSONArgsRecommended\nCMD app\n`)).toEqual([]);
    expect(rulesOf(`# hadolint global ignore=DL3025\n${text}`)).toEqual(['maintainer 5']);
  });

  it('says when an ignored rule is misspelt', () => {
    expect(find(`${final}# slipway-ignore add-for-cpoy\nADD a b\n`)).toMatchObject([
      { rule: 'add-for-copy' },
      {
        rule: 'unknown-rule',
        message: '# slipway-ignore names "add-for-cpoy", which is no rule. Did you mean "add-for-copy"?',
      },
    ]);
  });

  it('knows the variables of a base when it is told', () => {
    const text = 'FROM alpine:3\nUSER 1\nLABEL a=$APP b=$NOPE\n';
    expect(rulesOf(text, { levels: { 'unpinned-base': 'off' } })).toEqual([]);
    const environments = new Map([['alpine:3', ['APP=1']]]);
    expect(rulesOf(text, { levels: { 'unpinned-base': 'off' }, environments })).toEqual([
      'undefined-variable 3',
    ]);
  });
});

describe('docs/dockerfile-lint.md', () => {
  it('lists every rule as it is', async () => {
    const page = await readFile(new URL('../../../docs/dockerfile-lint.md', import.meta.url), 'utf8');
    const rows = lintRules.map(({ name, level, summary, buildkit, hadolint }) => {
      const others = [...(buildkit === undefined ? [] : [buildkit]), ...hadolint].join(', ');
      return `| \`${name}\` | ${level} | ${summary} | ${others} |`;
    });
    expect(page).toContain(`| --- | --- | --- | --- |\n${rows.join('\n')}\n\n`);
  });
});

it('takes a build context that is given for no image of a registry', () => {
  const text = 'FROM base\nUSER 1\n';
  expect(rulesOf(text)).toContain('latest-tag 1');
  expect(rulesOf(text, { context: { ignore: undefined, named: ['base'] } })).toEqual([]);
});
