/**
 * Sentences for reasons, flags and alerts: codes and parameters in, words in the page's language out.
 *
 * The rule of the codes is `<index>_<low|high|…>` with the parameters `value` and `limit`. A code that this page doesn't
 * know is shown as it is, with its parameters: an unfinished sentence is better than a hidden reason.
 */
import { decimal, score } from '../format';
import type { Texts } from '../i18n';
import type { Language } from '../stores/preferences';
import type { EventRecord } from './records';
import { GRADES, type Alert, type Grade, type Reason, type ReasonParams } from './types';

type IndexName = keyof Texts['reasons']['indices'];

/** Which index a code speaks of, and how it lies to its limit. */
const COMPARISONS: Readonly<Record<string, readonly [IndexName, '<' | '>']>> = {
  surface_uniformity_low: ['uniformity', '<'],
  uniformity_low: ['uniformity', '<'],
  freshness_low: ['freshness', '<'],
  fat_quality_low: ['fat_quality', '<'],
  oxidation_high: ['oxidation', '>'],
  volume_below_range: ['volume', '<'],
  volume_above_range: ['volume', '>'],
  quality_critical: ['score', '<'],
  quality_low: ['score', '<'],
  grade_reject: ['score', '<'],
};

const hasKey = <T extends object>(table: T, key: unknown): key is keyof T => typeof key === 'string' && Object.hasOwn(table, key);
const isGrade = (value: unknown): value is Grade => GRADES.some((grade) => grade === value);

/** Volumes of reasons are in cm³, scores are shown out of 100, indices as they are. */
function quantity(name: IndexName, value: number, language: Language, extraDecimals: number): string {
  if (name === 'volume') return `${decimal(value, language, extraDecimals)}\u00a0cm³`;
  return name === 'score' ? decimal(value * 100, language, 1 + extraDecimals) : decimal(value, language, 2 + extraDecimals);
}

/** `0,78 > 0,70`; close to the limit with so many decimals that it does not read `0,75 < 0,75`. */
function compared(name: IndexName, [value, sign, limit]: readonly [number, string, number], t: Texts, language: Language): string {
  for (const extraDecimals of [0, 1, 2]) {
    const [left, right] = [quantity(name, value, language, extraDecimals), quantity(name, limit, language, extraDecimals)];
    if (left !== right || value === limit) return t.reasons.limit(left, sign, right);
  }
  return t.reasons.limit(quantity(name, value, language, 3), sign, quantity(name, limit, language, 3));
}

/** `oxydation 0,78 > 0,70`, or null when the code or its parameters don't say that much. */
function comparison(code: string, { value, limit }: ReasonParams, t: Texts, language: Language): string | null {
  const known = COMPARISONS[code];
  if (known === undefined || typeof value !== 'number') return null;
  const [name, sign] = known;
  const isLimited = typeof limit === 'number';
  const words = isLimited ? compared(name, [value, sign, limit], t, language) : quantity(name, value, language, 0);
  return `${t.reasons.indices[name]} ${words}`;
}

/** The limit that decided the grade: `score 81,2 ≥ 75,0`. */
function decided({ score: value, limit }: ReasonParams, t: Texts, language: Language): string | null {
  if (typeof value !== 'number' || typeof limit !== 'number') return null;
  const sign = value >= limit ? '≥' : '<';
  return `${t.reasons.indices.score} ${compared('score', [value, sign, limit], t, language)}`;
}

function near({ grade, limit }: ReasonParams, t: Texts, language: Language): string | null {
  if (!isGrade(grade) || typeof limit !== 'number') return null;
  return t.reasons.near(t.grades[grade], score(limit, language));
}

function plainly(code: string, params: ReasonParams, language: Language): string {
  const shown = (value: ReasonParams[string]) =>
    typeof value === 'number' ? decimal(value, language, Number.isInteger(value) ? 0 : 2) : String(value);
  const pairs = Object.entries(params).map(([key, value]) => `${key} ${shown(value)}`);
  const words = code.replaceAll('_', ' ');
  return pairs.length === 0 ? words : `${words} (${pairs.join(', ')})`;
}

/** One reason or flag in words, without a full stop. */
export function reasonText({ code, params }: Reason, t: Texts, language: Language): string {
  if (hasKey(t.reasons.codes, code)) return t.reasons.codes[code];
  const words =
    code === 'grade'
      ? decided(params, t, language)
      : code === 'near_limit'
        ? near(params, t, language)
        : comparison(code, params, t, language);
  return words ?? plainly(code, params, language);
}

export const plainReason = (code: string): Reason => ({ code, params: {} });

/** Whether a reason says how sure the grade is, rather than why it was given. */
export const isDoubt = ({ code }: Reason): boolean =>
  code !== 'grade' && (code === 'near_limit' || !Object.hasOwn(COMPARISONS, code));

export interface AlertWords {
  readonly title: string;
  readonly detail: string;
}

/** `VL53L8CH : ne répond pas`, or null when the code isn't one of a sensor's. */
function sensorText(code: unknown, chip: unknown, t: Texts): string | null {
  if (!hasKey(t.sensors.causes, code)) return null;
  const cause = t.sensors.causes[code];
  return typeof chip === 'string' ? t.sensors.of(chip, cause) : cause;
}

export interface EventWords {
  readonly title: string;
  readonly detail: string | null;
  /** What to do first, where a person has to do something. */
  readonly advice: string | null;
}

/** What an event says, in the page's language. */
export function eventWords(event: EventRecord, t: Texts, language: Language): EventWords {
  const kinds: Readonly<Record<string, string>> = t.devices.kinds;
  const title = kinds[event.kind] ?? event.kind.replaceAll('_', ' ');
  if (event.kind === 'simulated_fault' && event.fault !== null) {
    const fault = hasKey(t.sensors.plays, event.fault) ? t.sensors.plays[event.fault] : event.fault;
    return { title, detail: event.isBeginning ? t.sensors.playBegins(fault) : t.sensors.playEnds(fault), advice: null };
  }
  if (event.kind === 'sensor_recovered') {
    const still = event.failing.length === 0 ? null : t.sensors.failing(event.failing.join(', '));
    return { title, detail: [event.chip, still].filter((part) => part !== null).join(t.separator) || null, advice: null };
  }
  const { reason } = event;
  if (reason === null) return { title, detail: null, advice: null };
  const cause = sensorText(reason, event.chip, t) ?? reasonText(plainReason(reason), t, language);
  const detail = event.isGivenUp ? t.sensors.givenUp(cause) : cause;
  const advice = hasKey(t.sensors.advice, reason) ? t.sensors.toDo(t.sensors.advice[reason]) : null;
  return { title, detail, advice };
}

/** What an alert says: the rule's name in the page's language, and its values or the server's own sentence. */
export function alertWords(alert: Alert, t: Texts, language: Language): AlertWords {
  const known = hasKey(t.alerts.kinds, alert.kind) ? t.alerts.kinds[alert.kind] : null;
  const cause = alert.context['reason'];
  const detail = hasKey(t.reasons.codes, cause)
    ? t.reasons.codes[cause]
    : (sensorText(cause, alert.context['chip'], t) ?? comparison(alert.kind ?? '', alert.context, t, language) ?? alert.message);
  return { title: known ?? alert.title ?? t.alerts.severity[alert.severity], detail };
}
