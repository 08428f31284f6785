import { describe, expect, it } from 'vitest';
import { parseLiveMessage } from '../src/domain/live-messages';
import { alertRow, deviceRow, overview, sampleRow } from '../src/domain/rows';
import { ShapeError } from '../src/domain/shape';
import { alertMessage, DISTANCES, fusionMessage, sampleRowOf, spectralMessage, tofMessage } from './samples';

const parse = (message: unknown) => parseLiveMessage(JSON.stringify(message));

/** The same message with the value at a dotted path replaced, or removed where it is undefined. */
function bent(message: object, path: string, value: unknown): unknown {
  const copy: unknown = structuredClone(message);
  const keys = path.split('.');
  let at = copy as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[keys.at(-1) ?? ''] = value;
  return copy;
}

describe('live messages', () => {
  it('reads the three messages of a sample', () => {
    const tof = parse(tofMessage());
    const spectral = parse(spectralMessage());
    const fusion = parse(fusionMessage());
    expect(tof).toMatchObject({ kind: 'tof', reading: { sampleId: 's1', volumeMm3: { value: 50_000, uncertainty: 900 } } });
    expect(spectral).toMatchObject({ kind: 'spectral', reading: { freshness: { value: 0.92, uncertainty: null } } });
    expect(fusion).toMatchObject({ kind: 'fusion', reading: { grade: 'A', lotId: 42, score: { value: 0.89 } } });
  });

  it('keeps zones without target as null', () => {
    const matrix = DISTANCES.map((row, index) => (index === 0 ? [null, ...row.slice(1)] : row));
    const event = parse(bent(tofMessage(), 'payload.data.raw.distance_matrix', matrix));
    expect(event.kind === 'tof' && event.reading.distanceMm[0]?.[0]).toBeNull();
  });

  it('takes a grade without reasons, and reasons beside the result', () => {
    expect(parse(bent(fusionMessage(), 'payload.result.reasons', undefined))).toMatchObject({ reading: { reasons: [] } });
    const beside = bent(bent(fusionMessage(), 'payload.result.reasons', undefined) as object, 'payload.reasons', [{ code: 'x' }]);
    expect(parse(beside)).toMatchObject({ reading: { reasons: [{ code: 'x', params: {} }] } });
  });

  it.each([
    [tofMessage(), 'payload.device_id', 5, 'payload.device_id'],
    [tofMessage(), 'payload.sensor_type', 'BME280', 'payload.sensor_type'],
    [tofMessage(), 'payload.data.raw.distance_matrix', [[1]], 'payload.data.raw.distance_matrix'],
    [tofMessage(), 'payload.data.raw.distance_matrix', DISTANCES.map((row) => row.map(() => 'x')), 'payload.data.raw.distance_matrix[0][0]'],
    [spectralMessage(), 'payload.data.raw.NIR', undefined, 'payload.data.raw.NIR'],
    [spectralMessage(), 'payload.data.raw.F1_415nm', -1, 'payload.data.raw.F1_415nm'],
    [fusionMessage(), 'payload.result.final_score', 1.2, 'payload.result.final_score'],
    [fusionMessage(), 'payload.result.final_grade', 'D', 'payload.result.final_grade'],
    [fusionMessage(), 'payload.timestamp', 'yesterday', 'payload.timestamp'],
    [alertMessage(), 'payload.severity', 'fatal', 'payload.severity'],
  ])('names the field that is wrong: %#', (message, path, value, named) => {
    expect(parse(bent(message, path, value))).toMatchObject({ kind: 'unreadable', path: named });
  });

  it.each(['', 'null', '[]', '{}', '{"type":4}', '{"type":"sensor_data"}', '{"type":"alert","payload":null}'])(
    'never throws on %j',
    (frame) => {
      expect(parseLiveMessage(frame).kind).toBe('unreadable');
    },
  );

  it('passes over types that it does not know', () => {
    expect(parse({ type: 'device_health', payload: {} })).toEqual({ kind: 'other', type: 'device_health' });
  });

  it('reads what the server says of itself', () => {
    expect(parse({ type: 'ping', timestamp: '2026-03-02T08:00:00Z' })).toEqual({ kind: 'ping' });
    expect(parse({ type: 'gap', missed: 12, missed_alerts: 1 })).toEqual({ kind: 'gap', missed: 12 });
    const payload = { database_connected: false, broker_connected: true, storing: true };
    expect(parse({ type: 'system_status', payload })).toEqual({
      kind: 'links',
      links: { database: false, broker: true, storing: true },
    });
    expect(parse({ type: 'device_status', payload: { device_id: 'a', site_code: 'LL', status: 'lost' } })).toEqual({
      kind: 'device',
      deviceId: 'a',
      state: 'lost',
    });
  });

  it('reads an alert of the customer without our additional fields', () => {
    const { alert_type: _kind, data_context: _context, ...payload } = alertMessage().payload;
    expect(parse({ type: 'alert', payload })).toMatchObject({ alert: { id: '7', kind: null, context: {}, occurrences: 1 } });
  });

  it('reads the newest stored sample as backlog, so that it never hides a live one', () => {
    const event = parse({ type: 'latest_sample', timestamp: '2026-03-02T08:00:09Z', data: sampleRowOf('s0', '2026-03-02T08:00:00Z') });
    expect(event).toMatchObject({ kind: 'latest', sample: { fusion: { sampleId: 's0', isBacklog: true } } });
  });
});

describe('rows', () => {
  it('reads a naive time as UTC', () => {
    const naive = sampleRow(sampleRowOf('s', '2026-03-02T08:00:00'), 'row');
    const zoned = sampleRow(sampleRowOf('s', '2026-03-02T09:00:00+01:00'), 'row');
    expect(naive.fusion.measuredAtMs).toBe(zoned.fusion.measuredAtMs);
  });

  it('reads alerts of the system, which have neither device nor sample', () => {
    const row = { time: '2026-03-02T08:00:00Z', alert_id: 3, device_id: null, sample_id: null, alert_type: 'gap', severity: 'warning', message: 'm' };
    expect(alertRow(row, 'row')).toMatchObject({ id: '3', deviceId: null, isAcknowledged: false });
  });

  it('refuses rows that lack what makes them one', () => {
    expect(() => deviceRow({}, 'devices[0]')).toThrow(new ShapeError('devices[0].device_id', 'is not a text'));
    expect(() => overview({ stats_24h: {} }, 'answer')).toThrow(/total_samples/);
  });

  it('takes an empty day: nothing to average is null', () => {
    const empty = { total_samples: 0, avg_quality_score: null, compliance_rate_pct: null };
    const answer = { stats_24h: empty, active_alerts: 0, critical_alerts: 0, total_devices: 3, active_devices: 0 };
    expect(overview(answer, 'answer')).toMatchObject({ samples: 0, averageScore: null, compliancePct: null });
  });
});
