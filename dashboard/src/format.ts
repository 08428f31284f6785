/** Numbers, ages and times as people write them, in the language of the page. */
import type { Measured } from './domain/types';
import type { Language } from './stores/preferences';

/** The sites' own time zone; UTC is one hover away. */
const SITE_TIME_ZONE = 'Europe/Paris';
const LOCALES: Readonly<Record<Language, string>> = { fr: 'fr-FR', en: 'en-GB' };
const MM3_PER_CM3 = 1_000;
/** What stands where there is no value. */
export const NO_VALUE = '–';

const numberFormats = new Map<string, Intl.NumberFormat>();

/** A number with a fixed count of decimals; formatters are kept, for making one costs more than using it. */
export function decimal(value: number, language: Language, decimals = 0): string {
  const key = `${language}${decimals}`;
  let format = numberFormats.get(key);
  if (format === undefined) {
    format = new Intl.NumberFormat(LOCALES[language], { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
    numberFormats.set(key, format);
  }
  return format.format(value);
}

/** A score between 0 and 1 as it is shown, 0 to 100 with one decimal. */
export const score = (value: number, language: Language): string => decimal(value * 100, language, 1);

/** An index between 0 and 1, two decimals. */
export const index = (value: number, language: Language): string => decimal(value, language, 2);

export const percent = (value: number, language: Language, decimals = 1): string =>
  `${decimal(value, language, decimals)}${language === 'fr' ? '\u202f' : ''}%`;

export const volumeCm3 = (volumeMm3: number, language: Language): string =>
  `${decimal(volumeMm3 / MM3_PER_CM3, language, 1)}\u00a0cm³`;

/** `± 0,02` in the unit of the value, rounded up as uncertainties are, or nothing where none was sent. */
export function plusMinus(measured: Measured, language: Language, decimals: number, scale = 1): string {
  if (measured.uncertainty === null) return '';
  const step = 10 ** decimals;
  const rounded = Math.ceil(Number((measured.uncertainty * scale * step).toPrecision(9))) / step;
  return `±\u202f${decimal(rounded, language, decimals)}`;
}

/** An age: `< 1 s`, `12 s`, `3 min`, `2 h`, `5 j` / `5 d`. */
export function age(ms: number, language: Language): string {
  const seconds = ms / 1_000;
  if (seconds < 1) return '<\u00a01\u00a0s';
  if (seconds < 120) return `${decimal(Math.floor(seconds), language)}\u00a0s`;
  if (seconds < 7_200) return `${decimal(Math.floor(seconds / 60), language)}\u00a0min`;
  if (seconds < 172_800) return `${decimal(Math.floor(seconds / 3_600), language)}\u00a0h`;
  return `${decimal(Math.floor(seconds / 86_400), language)}\u00a0${language === 'fr' ? 'j' : 'd'}`;
}

const timeFormats: Readonly<Record<Language, Intl.DateTimeFormat>> = {
  fr: new Intl.DateTimeFormat('fr-FR', { timeZone: SITE_TIME_ZONE, timeStyle: 'medium' }),
  en: new Intl.DateTimeFormat('en-GB', { timeZone: SITE_TIME_ZONE, timeStyle: 'medium' }),
};

/** Time of day at the site. */
export const timeOfDay = (ms: number, language: Language): string => timeFormats[language].format(ms);

const DAY_MS = 86_400_000;
const dayFormats: Readonly<Record<Language, Intl.DateTimeFormat>> = {
  fr: new Intl.DateTimeFormat('fr-FR', { timeZone: SITE_TIME_ZONE, day: '2-digit', month: '2-digit' }),
  en: new Intl.DateTimeFormat('en-GB', { timeZone: SITE_TIME_ZONE, day: '2-digit', month: '2-digit' }),
};

/** Time of day at the site, with the date where it isn't today's. */
export function momentOf(ms: number, nowMs: number, language: Language): string {
  const day = dayFormats[language];
  const isToday = Math.abs(nowMs - ms) < DAY_MS && day.format(ms) === day.format(nowMs);
  return isToday ? timeOfDay(ms, language) : `${day.format(ms)} ${timeOfDay(ms, language)}`;
}

const fullFormats: Readonly<Record<Language, Intl.DateTimeFormat>> = {
  fr: new Intl.DateTimeFormat('fr-FR', { timeZone: SITE_TIME_ZONE, dateStyle: 'long', timeStyle: 'medium' }),
  en: new Intl.DateTimeFormat('en-GB', { timeZone: SITE_TIME_ZONE, dateStyle: 'long', timeStyle: 'medium' }),
};

/** Date and time of day at the site, for what is kept for years. */
export const dateTime = (ms: number, language: Language): string => fullFormats[language].format(ms);

/** The same instant in UTC, for the tooltip. */
export const utc = (ms: number): string => `${new Date(ms).toISOString().replace('T', ' ').slice(0, 19)} UTC`;

const hourFormat = new Intl.DateTimeFormat('en-GB', { timeZone: SITE_TIME_ZONE, hour: '2-digit', hourCycle: 'h23' });
const [MORNING, AFTERNOON, NIGHT] = [5, 13, 21] as const;

/** The shift that an instant falls into at the site: three of eight hours, from five in the morning. */
export function shiftOf(ms: number): 'morning' | 'afternoon' | 'night' {
  const hour = Number(hourFormat.format(ms));
  if (hour >= MORNING && hour < AFTERNOON) return 'morning';
  return hour >= AFTERNOON && hour < NIGHT ? 'afternoon' : 'night';
}
