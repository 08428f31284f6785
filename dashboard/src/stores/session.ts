/** Who looks at the page, and what that person may do. */
import { create } from 'zustand';
import { ApiError, call } from '../api';
import { send } from '../data/actions';
import { fields, listOf, oneOf, optional, text, type Reader } from '../domain/shape';

export const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface Me {
  readonly name: string;
  readonly role: Role;
  /** Null is every site. */
  readonly sites: readonly string[] | null;
}

export const me: Reader<Me> = (value, path) => {
  const row = fields(value, path);
  return {
    name: text(row['name'], `${path}.name`),
    role: oneOf(ROLES)(row['role'], `${path}.role`),
    sites: optional(listOf(text))(row['sites'], `${path}.sites`),
  };
};

export interface SessionState {
  /** `stranger`: the server asks who we are. `unknown`: it has not answered; the page shows what it can. */
  readonly phase: 'asking' | 'known' | 'stranger' | 'unknown';
  readonly me: Me | null;
  readonly ask: () => Promise<void>;
  /** A call was refused because nobody is logged in (any more). */
  readonly lose: () => void;
}

const UNAUTHORIZED = 401;

export const useSession = create<SessionState>()((set) => ({
  phase: 'asking',
  me: null,
  ask: async () => {
    try {
      set({ phase: 'known', me: (await call('/api/sqal/me', me)).value });
    } catch (error) {
      const isStranger = error instanceof ApiError && error.status === UNAUTHORIZED;
      set({ phase: isStranger ? 'stranger' : 'unknown', me: null });
    }
  },
  lose: () => {
    set({ phase: 'stranger', me: null });
  },
}));

/** Whether somebody of this role may do what needs `needed`. */
export const may = (who: Me | null, needed: Role): boolean => who !== null && ROLES.indexOf(who.role) >= ROLES.indexOf(needed);

/** `user:anne` is Anne at a screen; programs and the demo have other names. */
export const personOf = (who: Me | null): string => (who?.name.startsWith('user:') === true ? who.name.slice(5) : '');

export const logIn = (name: string, password: string): Promise<Me> => send('POST', '/api/sqal/login', { name, password }, me);

export const logOut = (): Promise<null> => send('POST', '/api/sqal/logout', undefined, () => null);
