/**
 * Wires the live connection and the REST calls to the stores.
 *
 * Samples are joined as they come but published at most four times a second: numbers that change faster can't be read, and
 * a page on a wall should cost little. On every (re)connection the stored samples fill what was missed.
 */
import { ApiError, fetchAlerts, fetchDevices, fetchOverview, fetchSamples, type Answer } from '../api';
import type { LiveEvent } from '../domain/live-messages';
import type { JoinedSample } from '../domain/types';
import { useAlerts } from '../stores/alerts';
import { useConnection } from '../stores/connection';
import { useFleet, type FleetState } from '../stores/fleet';
import { HISTORY_MAX, useLive } from '../stores/live';
import { usePreferences } from '../stores/preferences';
import { arrive, SampleJoiner, type ArrivedSample } from './joiner';
import { LiveSocket, type SocketLike, type SocketStatus } from './socket';

export const PUBLISH_EVERY_MS = 250;
const OVERVIEW_EVERY_MS = 10_000;
const ALERTS_EVERY_MS = 30_000;
const DEVICES_EVERY_MS = 60_000;
const ALERTS_SHOWN = 50;
/** Whole samples that wait for the next publication; only the newest `HISTORY_MAX` of a device can be seen anyway. */
const UNPUBLISHED_MAX = 2_000;

export interface FeedOptions {
  readonly open: () => SocketLike;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly random: () => number;
}

export class LiveFeed {
  readonly #now: () => number;
  readonly #socket: LiveSocket;
  readonly #joiner = new SampleJoiner();
  /** Devices whose stored samples were asked for since the stream was last whole. */
  readonly #caughtUp = new Set<string>();
  #unpublished: ArrivedSample[] = [];
  #publishedAtMs = Number.NEGATIVE_INFINITY;
  #publishing: ReturnType<typeof setTimeout> | undefined;
  #polls: ReturnType<typeof setInterval>[] = [];
  #stopFilters: () => void = () => undefined;

  constructor({ open, now, random }: FeedOptions) {
    this.#now = now;
    this.#socket = new LiveSocket({
      open,
      now,
      random,
      onEvent: (event) => {
        this.#take(event);
      },
      onStatus: (status) => {
        this.#statusChanged(status);
      },
    });
  }

  start(): void {
    this.#followFilters();
    this.#poll(OVERVIEW_EVERY_MS, () => this.#loadOverview());
    this.#poll(ALERTS_EVERY_MS, () => this.#loadAlerts());
    this.#poll(DEVICES_EVERY_MS, () => this.#loadDevices());
    this.#socket.start();
  }

  stop(): void {
    this.#stopFilters();
    for (const poll of this.#polls) clearInterval(poll);
    this.#polls = [];
    clearTimeout(this.#publishing);
    this.#publishing = undefined;
    this.#socket.stop();
  }

  reconnectNow(): void {
    this.#socket.reconnectNow();
  }

  /** Asks again for everything that failed. */
  retry(): void {
    void this.#loadOverview();
    void this.#loadAlerts();
    void this.#loadDevices();
  }

  #poll(everyMs: number, load: () => Promise<void>): void {
    void load();
    this.#polls.push(
      setInterval(() => {
        void load();
      }, everyMs),
    );
  }

  #followFilters(): void {
    const { siteCode, deviceId } = usePreferences.getState();
    this.#socket.subscribe({ siteCode, deviceId });
    this.#stopFilters = usePreferences.subscribe((state, before) => {
      if (state.siteCode === before.siteCode && state.deviceId === before.deviceId) return;
      this.#socket.subscribe({ siteCode: state.siteCode, deviceId: state.deviceId });
      this.#caughtUp.clear();
      void this.#catchUp();
    });
  }

  #statusChanged(status: SocketStatus): void {
    useConnection.getState().setStatus(status);
    if (status.phase !== 'open') return;
    this.#joiner.reset();
    useConnection.getState().setLinks(null);
    this.#caughtUp.clear();
    this.retry();
  }

  #take(event: LiveEvent): void {
    switch (event.kind) {
      case 'tof':
      case 'spectral':
      case 'fusion': {
        const arrived = this.#joiner.accept(event, this.#now());
        if (arrived !== null) this.#queue(arrived);
        break;
      }
      case 'latest':
        this.#queue(arrive(event.sample, { sentAtMs: event.sentAtMs, receivedAtMs: this.#now() }));
        break;
      case 'alert':
        useAlerts.getState().raise(event.alert);
        break;
      case 'gap':
        useConnection.getState().reportMissed(event.missed);
        this.#caughtUp.clear();
        void this.#catchUp();
        void this.#loadAlerts();
        break;
      case 'links':
        useConnection.getState().setLinks(event.links);
        break;
      case 'device':
        useFleet.getState().setDeviceState(event.deviceId, event.state);
        break;
      case 'unreadable':
        useConnection.getState().reportUnreadable(`${event.path} ${event.problem}`);
        break;
      case 'welcome':
      case 'ping':
      case 'heartbeat_ack':
      case 'other':
    }
  }

  #queue(arrived: ArrivedSample): void {
    this.#unpublished.push(arrived);
    // A hidden tab's timers sleep for up to a minute; what is dropped here could not be seen in any strip.
    if (this.#unpublished.length > UNPUBLISHED_MAX) this.#unpublished.splice(0, UNPUBLISHED_MAX / 2);
    const waitMs = this.#publishedAtMs + PUBLISH_EVERY_MS - this.#now();
    if (waitMs <= 0) this.#publish();
    else
      this.#publishing ??= setTimeout(() => {
        this.#publish();
      }, waitMs);
  }

  #publish(): void {
    clearTimeout(this.#publishing);
    this.#publishing = undefined;
    this.#publishedAtMs = this.#now();
    const samples = this.#unpublished;
    this.#unpublished = [];
    useLive.getState().publish(samples);
    useConnection.getState().setIncomplete(this.#joiner.incomplete);
  }

  async #loadDevices(): Promise<void> {
    await this.#load('devicesError', fetchDevices, ({ value }) => {
      useFleet.getState().setDevices(value);
    });
    await this.#catchUp();
  }

  async #loadOverview(): Promise<void> {
    await this.#load('overviewError', fetchOverview, ({ value }) => {
      useFleet.getState().setOverview(value);
    });
  }

  async #loadAlerts(): Promise<void> {
    await this.#load(
      'alertsError',
      () => fetchAlerts(ALERTS_SHOWN),
      ({ value }) => {
        useFleet.getState().setError('alertsError', null);
        useAlerts.getState().load(value);
      },
    );
  }

  /** Fills cards and strips with what the database has and this page doesn't. */
  async #catchUp(): Promise<void> {
    const { siteCode, deviceId } = usePreferences.getState();
    const shown = useFleet
      .getState()
      .devices.filter((device) => siteCode === null || device.siteCode === siteCode)
      .filter((device) => deviceId === null || device.id === deviceId)
      .filter((device) => !this.#caughtUp.has(device.id));
    for (const device of shown) this.#caughtUp.add(device.id);
    await Promise.all(shown.map((device) => this.#loadSamples(device.id)));
  }

  async #loadSamples(deviceId: string): Promise<void> {
    const isLoaded = await this.#load(
      'devicesError',
      () => fetchSamples(deviceId, HISTORY_MAX),
      ({ value, serverTimeMs }: Answer<readonly JoinedSample[]>) => {
        const receivedAtMs = this.#now();
        for (const sample of value) this.#queue(arrive(sample, { sentAtMs: serverTimeMs, receivedAtMs }));
      },
    );
    if (!isLoaded) this.#caughtUp.delete(deviceId);
  }

  async #load<T>(
    error: Parameters<FleetState['setError']>[0],
    fetchIt: () => Promise<Answer<T>>,
    apply: (answer: Answer<T>) => void,
  ): Promise<boolean> {
    try {
      apply(await fetchIt());
      return true;
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      useFleet.getState().setError(error, failure.message);
      return false;
    }
  }
}

/** The browser's own socket to this page's server. */
export function openBrowserSocket(): SocketLike {
  const scheme = window.location.protocol === 'https:' ? 'wss' : 'ws';
  const socket = new WebSocket(`${scheme}://${window.location.host}/ws/realtime/`);
  const like: SocketLike = {
    send: (data) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(data);
    },
    close: () => {
      socket.close();
    },
    onopen: null,
    onmessage: null,
    onclose: null,
  };
  socket.onopen = () => like.onopen?.();
  socket.onmessage = ({ data }: MessageEvent<unknown>) => like.onmessage?.({ data });
  socket.onclose = () => like.onclose?.();
  return like;
}
