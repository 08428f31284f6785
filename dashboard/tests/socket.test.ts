import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LiveEvent } from '../src/domain/live-messages';
import { backoffMs, LONGEST_MS } from '../src/live/backoff';
import { LiveSocket, type SocketStatus } from '../src/live/socket';
import { Wire } from './wire';

function setUp() {
  const wires: Wire[] = [];
  const events: LiveEvent[] = [];
  const statuses: SocketStatus[] = [];
  const socket = new LiveSocket({
    open: () => {
      const wire = new Wire();
      wires.push(wire);
      return wire;
    },
    now: () => Date.now(),
    random: () => 1,
    onEvent: (event) => events.push(event),
    onStatus: (status) => statuses.push(status),
  });
  socket.start();
  const wire = () => wires.at(-1) ?? new Wire();
  return { socket, wires, wire, events, statuses };
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the connection', () => {
  it('answers a ping with a heartbeat', () => {
    const { wire, events } = setUp();
    wire().onopen?.();
    wire().says({ type: 'ping' });
    expect(wire().sent).toEqual([{ type: 'heartbeat' }]);
    expect(events).toEqual([{ kind: 'ping' }]);
  });

  it('comes back after a cut, waiting longer each time, and says when', () => {
    const { wires, wire, statuses } = setUp();
    wire().onclose?.();
    expect(statuses.at(-1)).toMatchObject({ phase: 'waiting', attempt: 1, retryAtMs: Date.now() + 500 });
    vi.advanceTimersByTime(499);
    expect(wires).toHaveLength(1);
    vi.advanceTimersByTime(1);
    expect(wires).toHaveLength(2);
    wire().onclose?.();
    expect(statuses.at(-1)).toMatchObject({ attempt: 2, retryAtMs: Date.now() + 1_000 });
  });

  it('starts over with short waits once a message has come', () => {
    const { wire, statuses } = setUp();
    for (let cut = 0; cut < 4; cut += 1) {
      wire().onclose?.();
      vi.advanceTimersByTime(LONGEST_MS);
    }
    wire().onopen?.();
    wire().says({ type: 'connection_established' });
    wire().onclose?.();
    expect(statuses.at(-1)).toMatchObject({ phase: 'waiting', retryAtMs: Date.now() + 500 });
  });

  it('probes silence and gives up a connection that stays silent', () => {
    const { wires, wire, statuses } = setUp();
    wire().onopen?.();
    vi.advanceTimersByTime(8_000);
    expect(wire().sent).toEqual([{ type: 'heartbeat' }]);
    vi.advanceTimersByTime(8_000);
    expect(wires[0]?.isClosed).toBe(true);
    expect(statuses.at(-1)?.phase).toBe('waiting');
  });

  it('does not give up a connection that answers', () => {
    const { wires, wire } = setUp();
    wire().onopen?.();
    for (let second = 0; second < 60; second += 1) {
      vi.advanceTimersByTime(1_000);
      if (second % 9 === 8) wire().says({ type: 'heartbeat_ack' });
    }
    expect(wires).toHaveLength(1);
  });

  it('asks for its filters again on every connection, and for everything when they are gone', () => {
    const { socket, wire } = setUp();
    socket.subscribe({ siteCode: 'LL', deviceId: null });
    wire().onopen?.();
    expect(wire().sent).toEqual([{ type: 'subscribe', filters: { site_code: 'LL' } }]);
    wire().onclose?.();
    vi.advanceTimersByTime(LONGEST_MS);
    wire().onopen?.();
    expect(wire().sent).toEqual([{ type: 'subscribe', filters: { site_code: 'LL' } }]);
    socket.subscribe({ siteCode: null, deviceId: null });
    expect(wire().sent.at(-1)).toEqual({ type: 'unsubscribe' });
  });

  it('tries at once when a person asks, once', () => {
    const { socket, wires, wire } = setUp();
    wire().onclose?.();
    socket.reconnectNow();
    socket.reconnectNow();
    vi.advanceTimersByTime(LONGEST_MS);
    expect(wires).toHaveLength(2);
  });

  it('is quiet after stop', () => {
    const { socket, wires, wire, statuses } = setUp();
    wire().onopen?.();
    socket.stop();
    vi.advanceTimersByTime(60_000);
    socket.reconnectNow();
    expect(wires).toHaveLength(1);
    expect(wires[0]?.isClosed).toBe(true);
    expect(statuses.at(-1)).toEqual({ phase: 'stopped' });
  });

  it('reports what it cannot read', () => {
    const { wire, events } = setUp();
    wire().onmessage?.({ data: new ArrayBuffer(2) });
    wire().onmessage?.({ data: '{' });
    expect(events.map((event) => event.kind)).toEqual(['unreadable', 'unreadable']);
  });
});

describe('back-off', () => {
  it('doubles up to its limit and spreads by half', () => {
    expect([1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(attempt, () => 1))).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000]);
    expect(backoffMs(3, () => 0)).toBe(1_000);
  });
});
