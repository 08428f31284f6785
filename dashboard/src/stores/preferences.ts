/**
 * What a person chose: language, theme and name survive in the browser; filters live in the address, so that a wall
 * display or a bookmark opens on its own site.
 */
import { create } from 'zustand';

export const LANGUAGES = ['fr', 'en'] as const;
export type Language = (typeof LANGUAGES)[number];

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

export interface Preferences {
  readonly language: Language;
  readonly theme: Theme;
  readonly operator: string;
  /** Whether new critical alerts ring. */
  readonly isSoundOn: boolean;
  /** The view for a screen on the wall: few things, readable at 5 m. */
  readonly isWall: boolean;
  readonly siteCode: string | null;
  readonly deviceId: string | null;
  /** Only what belongs to this lot, on the live line and in studies. */
  readonly lotId: string | null;
}

export interface PreferencesState extends Preferences {
  readonly setLanguage: (language: Language) => void;
  readonly setTheme: (theme: Theme) => void;
  readonly setOperator: (operator: string) => void;
  readonly setSound: (isSoundOn: boolean) => void;
  readonly setWall: (isWall: boolean) => void;
  readonly setSite: (siteCode: string | null) => void;
  readonly setLot: (lotId: string | null) => void;
  readonly setDevice: (deviceId: string | null) => void;
}

const KEY = 'sqal.preferences';
const OPERATOR_LENGTH_MAX = 80;

function stored(storage: Pick<Storage, 'getItem'> | null): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(storage?.getItem(KEY) ?? '{}');
    return typeof parsed === 'object' && parsed !== null ? { ...parsed } : {};
  } catch {
    // Storage that is switched off or holds something else is no reason not to show the line.
    return {};
  }
}

/** Preferences from the browser's storage and the address; whatever isn't one becomes the default, French first. */
export function readPreferences(storage: Pick<Storage, 'getItem'> | null, search: string): Preferences {
  const kept = stored(storage);
  const query = new URLSearchParams(search);
  return {
    language: LANGUAGES.find((language) => language === (query.get('lang') ?? kept['language'])) ?? 'fr',
    theme: THEMES.find((theme) => theme === kept['theme']) ?? 'auto',
    operator: typeof kept['operator'] === 'string' ? kept['operator'].slice(0, OPERATOR_LENGTH_MAX) : '',
    isSoundOn: kept['isSoundOn'] === true,
    isWall: query.has('wall'),
    siteCode: query.get('site') ?? null,
    deviceId: query.get('device') ?? null,
    lotId: query.get('lot') ?? null,
  };
}

function browserStorage(): Storage | null {
  try {
    return globalThis.localStorage;
  } catch {
    return null;
  }
}

function remember(state: Preferences): void {
  const { language, theme, operator, isSoundOn } = state;
  try {
    browserStorage()?.setItem(KEY, JSON.stringify({ language, theme, operator, isSoundOn }));
  } catch {
    // A full or forbidden storage costs the memory of a choice, nothing else.
  }
}

/** The address without and with the filters. */
export function searchOf(filters: Pick<Preferences, 'siteCode' | 'deviceId'> & Partial<Pick<Preferences, 'lotId' | 'isWall'>>): string {
  const query = new URLSearchParams();
  if (filters.siteCode !== null) query.set('site', filters.siteCode);
  if (filters.deviceId !== null) query.set('device', filters.deviceId);
  if (typeof filters.lotId === 'string') query.set('lot', filters.lotId);
  if (filters.isWall === true) query.set('wall', '1');
  return query.size === 0 ? '' : `?${query.toString()}`;
}

const hasWindow = typeof window !== 'undefined';

export const usePreferences = create<PreferencesState>()((set) => ({
  ...readPreferences(hasWindow ? browserStorage() : null, hasWindow ? window.location.search : ''),
  setLanguage: (language) => {
    set({ language });
  },
  setTheme: (theme) => {
    set({ theme });
  },
  setOperator: (operator) => {
    set({ operator: operator.slice(0, OPERATOR_LENGTH_MAX) });
  },
  setSound: (isSoundOn) => {
    set({ isSoundOn });
  },
  setWall: (isWall) => {
    set({ isWall });
  },
  setSite: (siteCode) => {
    set({ siteCode, deviceId: null, lotId: null });
  },
  setLot: (lotId) => {
    set({ lotId });
  },
  setDevice: (deviceId) => {
    set({ deviceId });
  },
}));

/** Writes every change where it belongs; called once by the page. */
export function keepPreferences(): () => void {
  return usePreferences.subscribe((state) => {
    remember(state);
    window.history.replaceState(null, '', `${window.location.pathname}${searchOf(state)}`);
  });
}
