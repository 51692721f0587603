import { describe, expect, it } from 'vitest';
import { decideSaving, parseSurvey, type Survey } from '../../../../shared/image/mounts/survey.ts';

const MB = 1e6;
const amount = (bytes: number, files = bytes === 0 ? 0 : 10) => ({ bytes, files });
const survey = (more: Partial<Survey> = {}): Survey => ({
  kind: 'objects',
  kept: amount(100 * MB),
  fresh: amount(0),
  seed: amount(100 * MB),
  all: amount(120 * MB),
  ...more,
});
const SEED = { layers: 1 };
const LIMIT = 2e9;

describe('whether a mount is kept', () => {
  it.each([
    ['none before', survey({ fresh: amount(100 * MB), seed: amount(0) }), undefined, 'save', false],
    ['nothing gained', survey(), SEED, 'skip', undefined],
    ['little gained', survey({ fresh: amount(0.9 * MB) }), SEED, 'skip', undefined],
    ['something gained', survey({ kept: amount(110 * MB), fresh: amount(10 * MB) }), SEED, 'save', true],
    ['most of it new', survey({ kept: amount(220 * MB), fresh: amount(120 * MB) }), SEED, 'save', false],
    ['much of the seed unused', survey({ kept: amount(70 * MB), fresh: amount(0) }), SEED, 'save', false],
    [
      'many layers',
      survey({ kept: amount(110 * MB), fresh: amount(10 * MB) }),
      { layers: 12 },
      'save',
      false,
    ],
    [
      'another kind',
      survey({ kind: 'other', kept: amount(110 * MB), fresh: amount(10 * MB) }),
      SEED,
      'save',
      false,
    ],
    ['a trifle', survey({ kept: amount(10), fresh: amount(10), seed: amount(10) }), SEED, 'skip', undefined],
    ['too much', survey({ kept: amount(2.1e9) }), undefined, 'skip', undefined],
    ['nothing used', survey({ kept: amount(0) }), undefined, 'skip', undefined],
  ] as const)('%s', (_, given, seed, kind, delta) => {
    const saving = decideSaving(given, { layers: seed?.layers, filled: true }, LIMIT);
    expect(saving.kind).toBe(kind);
    if (saving.kind === 'save') expect(saving.delta).toBe(delta);
  });

  it('is a fault where it is empty and should not be', () => {
    const empty = survey({ kept: amount(0), seed: amount(0), all: amount(0) });
    expect(decideSaving(empty, { layers: undefined, filled: true }, LIMIT).kind).toBe('fault');
    expect(decideSaving(empty, { layers: undefined, filled: false }, LIMIT).kind).toBe('skip');
    const lost = survey({ kept: amount(0), all: amount(0) });
    expect(decideSaving(lost, { layers: 1, filled: false }, LIMIT).kind).toBe('fault');
  });

  it('says that the limit is exceeded, and by what', () => {
    expect(decideSaving(survey({ kept: amount(2.1e9) }), { layers: undefined, filled: true }, LIMIT)).toEqual(
      {
        kind: 'skip',
        because: 'its 2.1 GB are more than the 2.0 GB of cache-mount-limit',
      },
    );
  });
});

describe('the survey', () => {
  it('is read from its line', () => {
    expect(parseSurvey('modules 1 2 3 4 5 6 7 8\n')).toEqual({
      kind: 'modules',
      kept: { files: 1, bytes: 2 },
      fresh: { files: 3, bytes: 4 },
      seed: { files: 5, bytes: 6 },
      all: { files: 7, bytes: 8 },
    });
  });

  it.each(['', 'objects 1 2', 'strange 1 2 3 4 5 6 7 8', 'objects 1 2 3 4 5 6 7 x'])('refuses %j', (text) => {
    expect(() => parseSurvey(text)).toThrow('survey');
  });
});
