/**
 * The connection to `/ws/realtime/`: opens, listens, notices silence, reconnects for ever.
 *
 * It knows nothing of samples: frames go through `parseLiveMessage` to one listener. The newcomer's mistake is to trust the
 * socket's own `close` event: a cut cable sends none, so silence is probed with heartbeats and ends the connection.
 */
import { parseLiveMessage, type LiveEvent } from '../domain/live-messages';
import { backoffMs } from './backoff';

/** After this long without a frame we ask whether anybody is there. */
const QUIET_MS = 8_000;
/** After this long without a frame, in spite of asking, nobody is. */
const DEAD_MS = 16_000;
const WATCH_EVERY_MS = 2_000;

/** What the page shows of the connection. Times are on the page's monotonic clock. */
export type SocketStatus =
  | { readonly phase: 'connecting'; readonly attempt: number }
  | { readonly phase: 'open' }
  | { readonly phase: 'waiting'; readonly attempt: number; readonly retryAtMs: number }
  | { readonly phase: 'stopped' };

export interface SocketFilters {
  readonly siteCode: string | null;
  readonly deviceId: string | null;
}

/** The part of `WebSocket` that is used, so that tests can stand in for the network. */
export interface SocketLike {
  send(data: string): void;
  close(): void;
  onopen: (() => void) | null;
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: (() => void) | null;
}

export interface LiveSocketOptions {
  readonly open: () => SocketLike;
  readonly now: () => number;
  readonly random: () => number;
  readonly onEvent: (event: LiveEvent) => void;
  readonly onStatus: (status: SocketStatus) => void;
}

const NO_FILTERS: SocketFilters = { siteCode: null, deviceId: null };

export class LiveSocket {
  readonly #options: LiveSocketOptions;
  #socket: SocketLike | null = null;
  #isOpen = false;
  #attempt = 0;
  #heardAtMs = 0;
  #filters = NO_FILTERS;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #watch: ReturnType<typeof setInterval> | undefined;

  constructor(options: LiveSocketOptions) {
    this.#options = options;
  }

  start(): void {
    this.#watch ??= setInterval(() => {
      this.#checkSilence();
    }, WATCH_EVERY_MS);
    this.#connect();
  }

  stop(): void {
    clearInterval(this.#watch);
    this.#watch = undefined;
    clearTimeout(this.#retry);
    this.#drop();
    this.#options.onStatus({ phase: 'stopped' });
  }

  /** Tries now instead of waiting: the network came back, or a person asked. */
  reconnectNow(): void {
    if (this.#socket !== null || this.#watch === undefined) return;
    clearTimeout(this.#retry);
    this.#connect();
  }

  /** Asks the server for less; kept across reconnections. */
  subscribe(filters: SocketFilters): void {
    this.#filters = filters;
    if (this.#isOpen) this.#sendFilters();
  }

  #connect(): void {
    this.#attempt += 1;
    this.#heardAtMs = this.#options.now();
    this.#options.onStatus({ phase: 'connecting', attempt: this.#attempt });
    const socket = this.#options.open();
    this.#socket = socket;
    socket.onopen = () => {
      this.#opened();
    };
    socket.onmessage = ({ data }) => {
      this.#heard(data);
    };
    socket.onclose = () => {
      this.#lost();
    };
  }

  #opened(): void {
    this.#isOpen = true;
    this.#heardAtMs = this.#options.now();
    if (this.#filters.siteCode !== null || this.#filters.deviceId !== null) this.#sendFilters();
    this.#options.onStatus({ phase: 'open' });
  }

  #heard(data: unknown): void {
    this.#heardAtMs = this.#options.now();
    this.#attempt = 0;
    if (typeof data !== 'string') {
      this.#options.onEvent({ kind: 'unreadable', path: 'message', problem: 'is not text' });
      return;
    }
    const event = parseLiveMessage(data);
    if (event.kind === 'ping') this.#send({ type: 'heartbeat' });
    this.#options.onEvent(event);
  }

  #lost(): void {
    this.#drop();
    const waitMs = backoffMs(Math.max(1, this.#attempt), this.#options.random);
    const retryAtMs = this.#options.now() + waitMs;
    this.#options.onStatus({ phase: 'waiting', attempt: this.#attempt, retryAtMs });
    this.#retry = setTimeout(() => {
      this.#connect();
    }, waitMs);
  }

  #checkSilence(): void {
    if (this.#socket === null) return;
    const silentMs = this.#options.now() - this.#heardAtMs;
    if (silentMs >= DEAD_MS) this.#lost();
    else if (this.#isOpen && silentMs >= QUIET_MS) this.#send({ type: 'heartbeat' });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#isOpen = false;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  #sendFilters(): void {
    const { siteCode, deviceId } = this.#filters;
    if (siteCode === null && deviceId === null) this.#send({ type: 'unsubscribe' });
    else {
      const filters = { ...(siteCode !== null && { site_code: siteCode }), ...(deviceId !== null && { device_id: deviceId }) };
      this.#send({ type: 'subscribe', filters });
    }
  }

  #send(message: object): void {
    this.#socket?.send(JSON.stringify(message));
  }
}
