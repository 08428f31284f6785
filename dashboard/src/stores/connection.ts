/** What the page knows about its own connection, and what it could not use of what came. */
import { create } from 'zustand';
import type { Links } from '../domain/types';
import type { SocketStatus } from '../live/socket';

export interface ConnectionState {
  readonly status: SocketStatus;
  /** Messages that didn't have the agreed shape, and what was wrong with the last. */
  readonly unreadable: number;
  readonly lastProblem: string | null;
  /** Samples of which a part never came. */
  readonly incomplete: number;
  /** Messages the server left out because this page was slow. */
  readonly missed: number;
  /** The links behind the server, null until it says that one is missing. */
  readonly links: Links | null;
  readonly setLinks: (links: Links | null) => void;
  readonly setStatus: (status: SocketStatus) => void;
  readonly reportUnreadable: (problem: string) => void;
  readonly reportMissed: (count: number) => void;
  readonly setIncomplete: (count: number) => void;
}

export const useConnection = create<ConnectionState>()((set) => ({
  status: { phase: 'connecting', attempt: 1 },
  unreadable: 0,
  lastProblem: null,
  incomplete: 0,
  missed: 0,
  links: null,
  setLinks: (links) => {
    set({ links });
  },
  setStatus: (status) => {
    set({ status });
  },
  reportUnreadable: (problem) => {
    set((state) => ({ unreadable: state.unreadable + 1, lastProblem: problem }));
  },
  reportMissed: (count) => {
    set((state) => ({ missed: state.missed + count }));
  },
  setIncomplete: (incomplete) => {
    set((state) => (state.incomplete === incomplete ? state : { incomplete }));
  },
}));
