/**
 * Which page the address names. Small on purpose: seven pages and a few drill-downs need no routing library.
 *
 * The server answers every unknown path with this same page, so an address can be sent, kept and reloaded.
 */
import { create } from 'zustand';
import { searchOf, usePreferences } from '../stores/preferences';

export const PAGES = ['live', 'sites', 'history', 'alerts', 'lots', 'devices', 'admin'] as const;
export type PageName = (typeof PAGES)[number];

export interface Route {
  /** `sample` is one piece as it was seen; `unknown` an address that names no page. */
  readonly page: PageName | 'login' | 'sample' | 'unknown';
  /** What the page is to show: the code of a site, the id of a lot, a device or a sample. */
  readonly param: string | null;
}

const DETAILED = new Set<string>(['sites', 'lots', 'devices', 'admin']);

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    // A lone percent sign is no name of ours.
    return null;
  }
}

/** The route of a path; pure, so that a test can try any address. */
export function routeOf(pathname: string): Route {
  const [first = '', ...rest] = pathname.split('/').filter((part) => part !== '');
  const param = rest.length === 0 ? null : decoded(rest.join('/'));
  if (first === '') return { page: 'live', param: null };
  if (first === 'login' && rest.length === 0) return { page: 'login', param: null };
  if (first === 'samples' && param !== null) return { page: 'sample', param };
  const page = PAGES.find((name) => name === first);
  if (page === undefined || page === 'live' || (rest.length > 0 && (param === null || !DETAILED.has(page)))) {
    return { page: 'unknown', param: null };
  }
  return { page, param };
}

/** The path of a page, or of one thing on it. */
export function pathOf(page: PageName | 'sample', param: string | null = null): string {
  if (page === 'live') return '/';
  const base = page === 'sample' ? '/samples' : `/${page}`;
  return param === null ? base : `${base}/${param.split('/').map(encodeURIComponent).join('/')}`;
}

const here = (): string => (typeof window === 'undefined' ? '/' : window.location.pathname);

export const useRoute = create<{ readonly pathname: string }>()(() => ({ pathname: here() }));

/** Opens a path of ours without loading the page anew; the filters stay in the address. */
export function navigate(path: string): void {
  window.history.pushState(null, '', `${path}${searchOf(usePreferences.getState())}`);
  useRoute.setState({ pathname: path });
  window.scrollTo(0, 0);
}

/** Follows the browser's own back and forward; called once by the page. */
export function followHistory(): void {
  window.addEventListener('popstate', () => {
    useRoute.setState({ pathname: here() });
  });
}
