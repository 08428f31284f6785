/** What a lot page reads: decisions, pieces, history, the ledger's state, a certificate's facts. */
import { fields, finite, flag, identifier, instant, isFields, listOf, nonNegative, oneOf, optional, text, type Reader } from './shape';
import { GRADES, type Grade } from './types';

export interface Decision {
  readonly kind: 'hold' | 'release';
  readonly reason: string;
  readonly person: string;
  readonly atMs: number;
}

export const decisions: Reader<readonly Decision[]> = listOf((value, path) => {
  const row = fields(value, path);
  return {
    kind: oneOf(['hold', 'release'])(row['decision'], `${path}.decision`),
    reason: optional(text)(row['reason'], `${path}.reason`) ?? '',
    person: optional(text)(row['person'], `${path}.person`) ?? '',
    atMs: instant(row['decided_at'], `${path}.decided_at`),
  };
});

export interface LotPiece {
  readonly id: string;
  readonly atMs: number;
  readonly deviceId: string;
  readonly grade: Grade;
  readonly score: number;
  readonly scoreU: number | null;
  readonly massG: number | null;
  readonly freshness: number | null;
  readonly oxidation: number | null;
}

const piece: Reader<LotPiece> = (value, path) => {
  const row = fields(value, path);
  return {
    id: identifier(row['sample_id'], `${path}.sample_id`),
    atMs: instant(row['time'], `${path}.time`),
    deviceId: text(row['device_id'], `${path}.device_id`),
    grade: oneOf(GRADES)(row['fusion_final_grade'], `${path}.fusion_final_grade`),
    score: finite(row['fusion_final_score'], `${path}.fusion_final_score`),
    scoreU: optional(nonNegative)(row['fusion_final_score_u'], `${path}.fusion_final_score_u`),
    massG: optional(nonNegative)(row['vl53l8ch_mass_g'], `${path}.vl53l8ch_mass_g`),
    freshness: optional(finite)(row['as7341_freshness_index'], `${path}.as7341_freshness_index`),
    oxidation: optional(finite)(row['as7341_oxidation_index'], `${path}.as7341_oxidation_index`),
  };
};

export interface LotPieces {
  readonly pieces: readonly LotPiece[];
  readonly next: string | null;
}

export const lotPieces: Reader<LotPieces> = (value, path) => {
  const source = fields(value, path);
  return { pieces: listOf(piece)(source['pieces'], `${path}.pieces`), next: optional(text)(source['next'], `${path}.next`) };
};

/** One entry of the ledger about a lot that is no measurement. */
export interface LedgerNote {
  readonly index: number;
  readonly type: string;
  readonly atMs: number;
  readonly hash: string;
  readonly isSealed: boolean;
}

export interface LotLedger {
  readonly notes: readonly LedgerNote[];
  readonly measurements: number;
  readonly sealed: number;
  readonly isHeld: boolean;
}

const MEASUREMENT = 'qualite_sqal';

export const lotLedger: Reader<LotLedger> = (value, path) => {
  const source = fields(value, path);
  const entries = listOf((each, at) => {
    const row = fields(each, at);
    return {
      index: nonNegative(row['index'], `${at}.index`),
      type: text(row['type_evenement'], `${at}.type_evenement`),
      atMs: instant(row['timestamp'], `${at}.timestamp`),
      hash: text(row['hash'], `${at}.hash`),
      isSealed: optional(text)(row['block_hash'], `${at}.block_hash`) !== null,
    };
  })(source['history'], `${path}.history`);
  const measured = entries.filter(({ type }) => type === MEASUREMENT);
  return {
    notes: entries.filter(({ type }) => type !== MEASUREMENT).reverse(),
    measurements: measured.length,
    sealed: measured.filter(({ isSealed }) => isSealed).length,
    isHeld: flag(source['is_held'], `${path}.is_held`),
  };
};

export interface LedgerVerdict {
  readonly isValid: boolean;
  readonly entries: number;
  readonly samples: number;
  readonly root: string | null;
  readonly firstError: string | null;
}

export const ledgerVerdict: Reader<LedgerVerdict> = (value, path) => {
  const row = fields(value, path);
  return {
    isValid: flag(row['valid'], `${path}.valid`),
    entries: nonNegative(row['entries'], `${path}.entries`),
    samples: nonNegative(row['samples'], `${path}.samples`),
    root: optional(text)(row['checkpoint'], `${path}.checkpoint`),
    firstError: optional(text)(row['first_error'], `${path}.first_error`),
  };
};

export interface Certificate {
  readonly title: string;
  readonly facts: readonly (readonly [string, string])[];
  readonly notes: readonly string[];
  /** The code that leads to the verifier, as an address of a picture. */
  readonly code: string | null;
}

/** The facts of a certificate's own page, which the server wrote in the person's language. */
export function certificateOf(html: string): Certificate {
  // Its style sheet is for print; this page's security policy would complain of it.
  const page = new DOMParser().parseFromString(html.replace(/<style>[\s\S]*?<\/style>/, ''), 'text/html');
  const words = (node: Element | null) => (node?.textContent ?? '').trim();
  const svg = page.querySelector('svg');
  svg?.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return {
    title: words(page.querySelector('h1')),
    facts: [...page.querySelectorAll('dl > dt')].map((term) => [words(term), words(term.nextElementSibling)] as const),
    notes: [...page.querySelectorAll('body > p')].map(words).filter((note) => note !== ''),
    code: svg === null ? null : `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(svg))}`,
  };
}

const WRITTEN_UTC = /(\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}) UTC/;

/** A sentence of a certificate in parts: its instants as milliseconds, so that the page tells them in the site's zone. */
export const withInstants = (sentence: string): readonly (string | number)[] =>
  sentence
    .split(WRITTEN_UTC)
    .map((part, at) => (at % 2 === 1 ? Date.parse(`${part.replace(' ', 'T')}Z`) : part))
    .filter((part) => part !== '');

export const anything: Reader<Record<string, unknown>> = (value) => (isFields(value) ? { ...value } : {});
