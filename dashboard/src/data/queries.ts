/**
 * Answers of REST calls by name: shown at once when a page is opened again, asked for anew behind them.
 *
 * A failed call keeps the last answer and says that it is old; only the newest call of a name counts. Bounded: the answers
 * that were asked for longest ago are forgotten.
 */
import { useEffect, useEffectEvent } from 'react';
import { create } from 'zustand';
import { ApiError, type Answer } from '../api';
import { useSession } from '../stores/session';

const ENTRIES_MAX = 24;

export interface Entry<T> {
  readonly value: T | null;
  readonly error: ApiError | null;
  readonly isLoading: boolean;
}

export interface Query<T> extends Entry<T> {
  readonly retry: () => void;
}

type Entries = Readonly<Record<string, Entry<unknown>>>;

const EMPTY: Entry<never> = { value: null, error: null, isLoading: true };
const newestCall = new Map<string, number>();
let calls = 0;

export const useQueries = create<{ readonly entries: Entries }>()(() => ({ entries: {} }));

function put(key: string, entry: Entry<unknown>): void {
  useQueries.setState(({ entries }) => {
    const others = Object.entries(entries).filter(([name]) => name !== key);
    return { entries: Object.fromEntries([...others, [key, entry] as const].slice(-ENTRIES_MAX)) };
  });
}

/** Asks once; what an older call of this name answers later is dropped. */
export async function refresh<T>(key: string, load: () => Promise<Answer<T>>): Promise<void> {
  calls += 1;
  const mine = calls;
  newestCall.set(key, mine);
  const before = useQueries.getState().entries[key] ?? EMPTY;
  put(key, { ...before, isLoading: true });
  const settle = (entry: Entry<unknown>) => {
    if (newestCall.get(key) === mine) put(key, entry);
  };
  try {
    settle({ value: (await load()).value, error: null, isLoading: false });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) useSession.getState().lose();
    settle({ value: before.value, error, isLoading: false });
  }
}

/** The answer called `key`, asked for now and every `refreshMs`; `key` must name everything that `load` depends on. */
export function useQuery<T>(key: string, load: () => Promise<Answer<T>>, refreshMs: number | null = null): Query<T> {
  // Everything under a key was put there by a load of the same key, hence of this type.
  const entry = useQueries((state) => state.entries[key] ?? EMPTY) as Entry<T>;
  const ask = useEffectEvent(() => {
    void refresh(key, load);
  });
  useEffect(() => {
    ask();
    if (refreshMs === null) return undefined;
    const timer = setInterval(() => {
      ask();
    }, refreshMs);
    return () => {
      clearInterval(timer);
    };
  }, [key, refreshMs]);
  return {
    ...entry,
    retry: () => {
      void refresh(key, load);
    },
  };
}
