/**
 * Sentences for reasons, flags and alerts: codes and parameters in, words in the page's language out.
 *
 * The rule of the codes is `<index>_<high|low|…>` with the parameters `value` and `limit`. A code that this page doesn't know
 * is shown as it is, with its parameters: an unfinished sentence is better than a hidden reason.
 */
import { decimal, index, score, volumeCm3 } from '../format';
import type { Texts } from '../i18n';
import type { Language } from '../stores/preferences';
import type { Alert, Reason, ReasonParams } from './types';

type IndexName = keyof Texts['reasons']['indices'];
type AlertKind = keyof Texts['alerts']['kinds'];

const SIGNS: Readonly<Record<string, string>> = { high: '>', low: '<', critical: '<', above: '>', below: '<' };
/** Alert rules whose index isn't in their name. */
const ALERT_INDEX: Readonly<Record<string, IndexName>> = { quality_critical: 'score', quality_low: 'score', grade_reject: 'score' };

const hasKey = <T extends object>(table: T, key: string): key is Extract<keyof T, string> => Object.hasOwn(table, key);

function quantity(name: IndexName, value: number, language: Language): string {
  if (name === 'volume') return volumeCm3(value, language);
  return name.endsWith('score') ? score(value, language) : index(value, language);
}

/** `oxydation 0,78 > 0,70`, or null when the code or its parameters don't say that much. */
function comparison(code: string, params: ReasonParams, t: Texts, language: Language): string | null {
  const [, stem = '', ending = ''] = /^(.+)_([a-z]+)$/.exec(code) ?? [];
  const name = ALERT_INDEX[code] ?? stem.replace(/_index$|_mm3$/, '');
  const { value, limit } = params;
  if (!hasKey(t.reasons.indices, name) || typeof value !== 'number' || typeof limit !== 'number') return null;
  const sign = SIGNS[ending] ?? (value < limit ? '<' : '>');
  const words = t.alerts.limit(quantity(name, value, language), sign, quantity(name, limit, language));
  return `${t.reasons.indices[name]} ${words}`;
}

function plainly(code: string, params: ReasonParams, language: Language): string {
  const pairs = Object.entries(params).map(
    ([key, value]) => `${key} ${typeof value === 'number' ? decimal(value, language, Number.isInteger(value) ? 0 : 2) : String(value)}`,
  );
  const words = code.replaceAll('_', ' ');
  return pairs.length === 0 ? words : `${words} (${pairs.join(', ')})`;
}

/** One reason of a grade in words, without a full stop. */
export function reasonText({ code, params }: Reason, t: Texts, language: Language): string {
  if (code === 'all_good') return t.reasons.all_good;
  return comparison(code, params, t, language) ?? plainly(code, params, language);
}

export interface AlertWords {
  readonly title: string;
  readonly detail: string;
}

/** What an alert says: the rule's name in the page's language, and its values or the server's own sentence. */
export function alertWords(alert: Alert, t: Texts, language: Language): AlertWords {
  const kind = alert.kind ?? '';
  const known = hasKey(t.alerts.kinds, kind) ? t.alerts.kinds[kind satisfies AlertKind] : null;
  const detail = comparison(kind, alert.context, t, language) ?? alert.message;
  return { title: known ?? alert.title ?? t.alerts.severity[alert.severity], detail };
}
