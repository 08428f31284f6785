import { describe, expect, it } from 'vitest';
import { alertWords, isDoubt, reasonText } from '../src/domain/wording';
import { parseLiveMessage } from '../src/domain/live-messages';
import { withInstants } from '../src/domain/lot-records';
import { age, dateTime, decimal, index, momentOf, percent, plusMinus, score, timeOfDay, utc, volumeCm3 } from '../src/format';
import { TEXTS } from '../src/i18n';
import { readPreferences, searchOf } from '../src/stores/preferences';
import { alertMessage } from './samples';

/** Every text of a table by its dotted path; texts with parameters are filled with numbers. */
function leaves(table: object, path = ''): readonly (readonly [string, string])[] {
  return Object.entries(table).flatMap(([key, value]: [string, unknown]) => {
    const at = path === '' ? key : `${path}.${key}`;
    if (typeof value === 'string') return [[at, value] as const];
    if (typeof value === 'function') return [[at, String(Reflect.apply(value, undefined, [3, 4, 5]))] as const];
    return leaves(value as object, at);
  });
}

const MARKERS = [311, 422, 533];

function functions(table: object): readonly ((...given: never[]) => unknown)[] {
  return Object.values(table).flatMap((value: unknown) => {
    if (typeof value === 'function') return [value as (...given: never[]) => unknown];
    return typeof value === 'object' && value !== null ? functions(value) : [];
  });
}

/** Words that are the same in both languages. */
const SHARED = /^(product|language\.|theme\.auto|filters\.site|alerts\.severity\.info|grades\.(A|B|C)|heatmap\.unit|spectrum\.nir|kpi\.period|indices\.(title|volume)|reasons\.(limit|indices\.(score|volume))|card\.(score|lot)|nav\.(label|sites|lots|admin)|sites\.(title|site)|lots\.(title|lot|itm|unnamed)|inspect\.lot|devices\.(site|agent)|admin\.title|history\.indices\.volume|alertsPage\.found|line\.(colourLabel|lot)|spc\.(lot|centre|count|cp|cpk|pp|ppk|indices\.volume_mm3)|alarm\.(durations\.\d+|group))/;

describe('the two languages', () => {
  const fr = leaves(TEXTS.fr);
  const en = new Map(leaves(TEXTS.en));

  it('have the same texts, none of them empty', () => {
    expect([...en.keys()].sort()).toEqual(fr.map(([path]) => path).sort());
    expect([...fr, ...en].filter(([, text]) => text.trim() === '')).toEqual([]);
  });

  it('use every parameter that they are given', () => {
    const unused = [...functions(TEXTS.fr), ...functions(TEXTS.en)].filter((say) => {
      const given = MARKERS.slice(0, say.length);
      const said = String(Reflect.apply(say, undefined, given));
      return given.some((marker) => !said.includes(String(marker)));
    });
    expect(unused.map(String)).toEqual([]);
  });

  it('are two languages: what reads the same is on the list', () => {
    const same = fr.filter(([path, text]) => en.get(path) === text && !SHARED.test(path));
    expect(same).toEqual([]);
  });
});

describe('numbers', () => {
  it('follow the language', () => {
    expect(decimal(12480, 'fr')).toBe('12\u202f480');
    expect(decimal(12480, 'en')).toBe('12,480');
    expect(score(0.8923, 'fr')).toBe('89,2');
    expect(index(0.7, 'en')).toBe('0.70');
    expect(percent(96.42, 'fr')).toBe('96,4\u202f%');
    expect(percent(96.42, 'en', 0)).toBe('96%');
  });

  it('carry their unit and uncertainty', () => {
    expect(volumeCm3(50_000, 'fr')).toBe('50,0\u00a0cm³');
    expect(plusMinus({ value: 50_000, uncertainty: 1_240 }, 'fr', 1, 1 / 1_000)).toBe('±\u202f1,3');
    expect(plusMinus({ value: 1, uncertainty: 0.001 }, 'en', 2)).toBe('±\u202f0.01');
    expect(plusMinus({ value: 1, uncertainty: 0.03 }, 'en', 2)).toBe('±\u202f0.03');
    expect(plusMinus({ value: 1, uncertainty: null }, 'fr', 1)).toBe('');
  });

  it.each([
    [0, '<\u00a01\u00a0s'],
    [5_999, '5\u00a0s'],
    [119_000, '119\u00a0s'],
    [180_000, '3\u00a0min'],
    [7_200_000, '2\u00a0h'],
    [260_000_000, '3\u00a0j'],
  ])('write an age of %i ms as people do', (ms, words) => {
    expect(age(ms, 'fr')).toBe(words);
  });

  it('give times of the site, UTC beside them, and the date where it is not today', () => {
    const at = Date.parse('2026-07-01T22:30:05Z');
    expect(timeOfDay(at, 'fr')).toBe('00:30:05');
    expect(utc(at)).toBe('2026-07-01 22:30:05 UTC');
    expect(momentOf(at, at + 3_600_000, 'fr')).toBe('00:30:05');
    expect(momentOf(at, at + 86_000_000, 'en')).toBe('02/07 00:30:05');
  });
});

describe('reasons', () => {
  const say = (code: string, params = {}, language: 'fr' | 'en' = 'fr') => reasonText({ code, params }, TEXTS[language], language).replaceAll('\u00a0', ' ');

  it('say which limit decided and what cost points', () => {
    expect(say('grade', { grade: 'A', score: 0.812, limit: 0.75 })).toBe('score 81,2 ≥ 75,0');
    expect(say('grade', { grade: 'REJECT', score: 0.31, limit: 0.45 }, 'en')).toBe('score 31.0 < 45.0');
    expect(say('oxidation_high', { value: 0.78, limit: 0.7, points: 0.1 })).toBe('oxydation 0,78 > 0,70');
    expect(say('freshness_low', { value: 0.7479, limit: 0.75 })).toBe('fraîcheur 0,748 < 0,750');
    expect(say('grade', { grade: 'B', score: 0.74999, limit: 0.75 }, 'en')).toBe('score 74.999 < 75.000');
    expect(say('volume_below_range', { value: 98.4, limit: 120 }, 'en')).toBe('volume 98 cm³ < 120 cm³');
    expect(say('near_limit', { grade: 'REJECT', limit: 0.45, probability: 0.6 })).toBe('proche de REJET (limite 45,0)');
    expect(say('zones_filled')).toBe('zones sans mesure complétées par leurs voisines');
  });

  it('show a code that is not known, rather than nothing', () => {
    expect(say('new_rule', { value: 0.5, depth: 3 }, 'en')).toBe('new rule (value 0.50, depth 3)');
    expect(say('constructor')).toBe('constructor');
    expect(say('oxidation_high')).toBe('oxidation high');
  });

  it('are told apart from doubts', () => {
    expect(['grade', 'oxidation_high', 'near_limit', 'zones_filled'].map((code) => isDoubt({ code, params: {} }))).toEqual([
      false,
      false,
      true,
      true,
    ]);
  });
});

describe('alerts in words', () => {
  const read = (payload: object) => {
    const event = parseLiveMessage(JSON.stringify({ type: 'alert', payload: { ...alertMessage().payload, ...payload } }));
    if (event.kind !== 'alert') throw new Error(`read as ${event.kind}`);
    return alertWords(event.alert, TEXTS.en, 'en');
  };

  it('are in the language of the page where the rule is known', () => {
    expect(read({})).toEqual({ title: 'Piece rejected', detail: 'score 31.0' });
    expect(read({ alert_type: 'ungraded', data_context: { reason: 'out_of_view' } }).detail).toBe('product out of the field of view');
  });

  it('are the server’s own where it is not', () => {
    expect(read({ alert_type: 'new_rule', title: 'Nouveau', data_context: {} })).toEqual({ title: 'Nouveau', detail: 'Produit rejeté : score 0,31' });
  });
});

describe('preferences', () => {
  const storage = (text: string) => ({ getItem: () => text });

  it('are French, automatic and unfiltered by default, whatever the storage holds', () => {
    const plain = { language: 'fr', theme: 'auto', operator: '', isSoundOn: false, isWall: false, siteCode: null, deviceId: null, lotId: null };
    for (const kept of [null, storage('{'), storage('4'), storage('{"language":"de","theme":7,"operator":{}}')]) {
      expect(readPreferences(kept, '')).toEqual(plain);
    }
  });

  it('come from storage and address', () => {
    const kept = storage('{"language":"en","theme":"dark","operator":"Ana"}');
    const read = readPreferences(kept, '?site=LL&device=ESP32_LL_01');
    expect(read).toEqual({
      language: 'en',
      theme: 'dark',
      operator: 'Ana',
      isSoundOn: false,
      isWall: false,
      siteCode: 'LL',
      deviceId: 'ESP32_LL_01',
      lotId: null,
    });
    expect(searchOf(read)).toBe('?site=LL&device=ESP32_LL_01');
    expect(searchOf({ siteCode: null, deviceId: null })).toBe('');
  });
});

describe('the times of a certificate', () => {
  it('are taken out of its sentences, and told in the zone of the site', () => {
    const instant = Date.parse('2026-07-01T22:30:05Z');
    expect(withInstants('sealed by the checkpoint of 7 entries of 2026-07-01 22:30:05 UTC')).toEqual([
      'sealed by the checkpoint of 7 entries of ',
      instant,
    ]);
    expect(withInstants('no time at all')).toEqual(['no time at all']);
    expect(dateTime(instant, 'en')).toMatch(/^2 July 2026.* 00:30:05$/);
    expect(dateTime(instant, 'fr')).toMatch(/^2 juillet 2026.* 00:30:05$/);
  });
});
