import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { LEVEL_VARIABLES } from './target.ts';
import type { Toolchain } from './toolchain.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Variables of the go command that say where things are kept or fetched from, not what is built. */
const WITHOUT_EFFECT = new Set(
  `GOCACHE GOMODCACHE GOPATH GOPROXY GOSUMDB GONOSUMDB GONOPROXY GOPRIVATE GOINSECURE GOTMPDIR GOBIN GOENV GOROOT GOWORK GOAUTH
  GOVCS GOTELEMETRY GOTELEMETRYDIR GOCACHEPROG GOMAXPROCS GOGC GOMEMLIMIT GOTRACEBACK GOEXE GOTOOLDIR GOMOD GOHOSTOS GOHOSTARCH
  GOGCCFLAGS GOVERSION GOOS GOARCH CGO_ENABLED`.split(/\s+/),
);

/**
 * The settings in force that can change a program, without asking the go command: the process's variables over those of `go env -w`
 * over those of the distribution (`go help environment`). GOOS, GOARCH and CGO_ENABLED are left out, since go-build sets them.
 */
export function effectiveSettings(env: Environment, toolchain: Toolchain): Record<string, string> {
  const layers = [
    toolchain.root === undefined ? {} : readSettings(join(toolchain.root, 'go.env')),
    readSettings(userSettingsFile(env)),
    env,
  ];
  const settings: Record<string, string> = {};
  for (const [name, value] of layers.flatMap((layer) => Object.entries(layer)))
    if (/^(GO[A-Z0-9]|CGO_)/.test(name) && !WITHOUT_EFFECT.has(name) && value !== undefined)
      settings[name] = value;
  for (const [name, value] of Object.entries(settings)) if (value === '') delete settings[name];
  return Object.fromEntries(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Settings without those of another architecture's feature level, which cannot touch this one. */
export function settingsFor(
  settings: Readonly<Record<string, string>>,
  own: readonly string[],
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(settings).filter(([name]) => !LEVEL_VARIABLES.includes(name) || own.includes(name)),
  );
}

/** The file of `go env -w`: $GOENV, or go/env in os.UserConfigDir. */
function userSettingsFile(env: Environment): string | undefined {
  if (env.GOENV === 'off') return undefined;
  if (env.GOENV) return env.GOENV;
  const home = env.HOME ?? homedir();
  if (process.platform === 'win32') return env.AppData && join(env.AppData, 'go', 'env');
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support', 'go', 'env');
  return join(env.XDG_CONFIG_HOME || join(home, '.config'), 'go', 'env');
}

function readSettings(file: string | undefined): Record<string, string> {
  if (file === undefined) return {};
  try {
    const lines = readFileSync(file, 'utf8').split(/\r?\n/);
    return Object.fromEntries(
      lines.flatMap((line) => {
        const match = /^([A-Z_][A-Z0-9_]*)=(.*)$/.exec(line);
        return match === null ? [] : [[match[1]!, match[2]!]];
      }),
    );
  } catch {
    return {};
  }
}
