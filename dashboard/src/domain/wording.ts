/**
 * Sentences for reasons, flags and alerts: codes and parameters in, words in the page's language out.
 *
 * The rule of the codes is `<index>_<low|high|…>` with the parameters `value` and `limit`. A code that this page doesn't
 * know is shown as it is, with its parameters: an unfinished sentence is better than a hidden reason.
 */
import { decimal, index, score } from '../format';
import type { Texts } from '../i18n';
import type { Language } from '../stores/preferences';
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

/** Volumes of reasons are in cm³, all else is a part of one. */
function quantity(name: IndexName, value: number, language: Language): string {
  if (name === 'volume') return `${decimal(value, language)}\u00a0cm³`;
  return name === 'score' ? score(value, language) : index(value, language);
}

/** `oxydation 0,78 > 0,70`, or null when the code or its parameters don't say that much. */
function comparison(code: string, { value, limit }: ReasonParams, t: Texts, language: Language): string | null {
  const known = COMPARISONS[code];
  if (known === undefined || typeof value !== 'number') return null;
  const [name, sign] = known;
  const words = quantity(name, value, language);
  const compared = typeof limit === 'number' ? t.reasons.limit(words, sign, quantity(name, limit, language)) : words;
  return `${t.reasons.indices[name]} ${compared}`;
}

/** The limit that decided the grade: `score 81,2 ≥ 75,0`. */
function decided({ score: value, limit }: ReasonParams, t: Texts, language: Language): string | null {
  if (typeof value !== 'number' || typeof limit !== 'number') return null;
  const sign = value >= limit ? '≥' : '<';
  return `${t.reasons.indices.score} ${t.reasons.limit(score(value, language), sign, score(limit, language))}`;
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

/** What an alert says: the rule's name in the page's language, and its values or the server's own sentence. */
export function alertWords(alert: Alert, t: Texts, language: Language): AlertWords {
  const known = hasKey(t.alerts.kinds, alert.kind) ? t.alerts.kinds[alert.kind] : null;
  const cause = alert.context['reason'];
  const detail = hasKey(t.reasons.codes, cause)
    ? t.reasons.codes[cause]
    : (comparison(alert.kind ?? '', alert.context, t, language) ?? alert.message);
  return { title: known ?? alert.title ?? t.alerts.severity[alert.severity], detail };
}
