/**
 * What `/ws/realtime/` sends, from JSON text to typed events.
 *
 * Nothing here throws: a message that can't be read becomes an `unreadable` event that names the field, so that the page
 * can count it instead of losing it silently. Types that the page doesn't know are `other`, for servers grow.
 */
import { isOver, sampleRow } from './rows';
import { channels, flags, matrix, measured, params, reasons, reflectance, spectralFindings, tofFindings } from './readings';
import { fields, flag, identifier, instant, nonNegative, oneOf, optional, ShapeError, text, unit, type Fields } from './shape';
import {
  ALERT_STATES,
  GRADES,
  DEVICE_STATES,
  SEVERITIES,
  type Alert,
  type DeviceState,
  type FusionResult,
  type JoinedSample,
  type Links,
  type SampleKey,
  type SpectralReading,
  type TofReading,
} from './types';

export type LiveEvent =
  | { readonly kind: 'welcome' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'heartbeat_ack' }
  | { readonly kind: 'tof'; readonly sentAtMs: number | null; readonly reading: TofReading }
  | { readonly kind: 'spectral'; readonly sentAtMs: number | null; readonly reading: SpectralReading }
  | { readonly kind: 'fusion'; readonly sentAtMs: number | null; readonly reading: FusionResult }
  | { readonly kind: 'latest'; readonly sentAtMs: number | null; readonly sample: JoinedSample }
  | { readonly kind: 'alert'; readonly alert: Alert }
  | { readonly kind: 'gap'; readonly missed: number }
  | { readonly kind: 'links'; readonly links: Links }
  | { readonly kind: 'device'; readonly deviceId: string; readonly state: DeviceState }
  | { readonly kind: 'other'; readonly type: string }
  | { readonly kind: 'unreadable'; readonly path: string; readonly problem: string };

function sampleKey(payload: Fields, inner: Fields): SampleKey {
  return {
    deviceId: text(payload['device_id'], 'payload.device_id'),
    siteCode: optional(text)(payload['site_code'], 'payload.site_code'),
    sampleId: identifier(payload['sample_id'], 'payload.sample_id'),
    measuredAtMs: optional(instant)(payload['timestamp'] ?? inner['timestamp'], 'payload.timestamp'),
    isBacklog: optional(flag)(payload['hist'] ?? inner['hist'], 'payload.hist') ?? false,
  };
}

function readTof(payload: Fields): TofReading {
  const data = fields(payload['data'], 'payload.data');
  const raw = fields(data['raw'], 'payload.data.raw');
  const path = 'payload.data.analysis';
  const analysis = fields(data['analysis'], path);
  return {
    ...sampleKey(payload, data),
    distanceMm: matrix(raw['distance_matrix'], 'payload.data.raw.distance_matrix'),
    reflectancePct: reflectance(raw['reflectance_matrix'], 'payload.data.raw.reflectance_matrix'),
    ...tofFindings(analysis, path),
    beltDistanceMm: optional(nonNegative)(analysis['belt_distance_mm'], `${path}.belt_distance_mm`),
    volumeMm3: measured(analysis, 'volume_mm3', path),
    massG: measured(analysis, 'mass_g', path),
    uniformity: measured(analysis, 'surface_uniformity', path),
    score: optional(unit)(analysis['quality_score'], `${path}.quality_score`),
  };
}

function readSpectral(payload: Fields): SpectralReading {
  const data = fields(payload['data'], 'payload.data');
  const path = 'payload.data.analysis';
  const analysis = fields(data['analysis'], path);
  return {
    ...sampleKey(payload, data),
    counts: channels(data['raw'], 'payload.data.raw'),
    ...spectralFindings(analysis, path),
    freshness: measured(analysis, 'freshness_index', path),
    fatQuality: measured(analysis, 'fat_quality_index', path),
    oxidation: measured(analysis, 'oxidation_index', path),
    score: optional(unit)(analysis['quality_score'], `${path}.quality_score`),
  };
}

function readFusion(payload: Fields): FusionResult {
  const path = 'payload.result';
  const result = fields(payload['result'], path);
  return {
    ...sampleKey(payload, result),
    score: {
      value: unit(result['final_score'], `${path}.final_score`),
      uncertainty: optional(nonNegative)(result['final_score_u'], `${path}.final_score_u`),
    },
    grade: oneOf(GRADES)(result['final_grade'], `${path}.final_grade`),
    gradeProbability: optional(unit)(result['grade_probability'], `${path}.grade_probability`),
    isCompliant: optional(flag)(result['is_compliant'], `${path}.is_compliant`) ?? result['final_grade'] !== 'REJECT',
    reasons: reasons(result['reasons'] ?? payload['reasons'], `${path}.reasons`),
    flags: flags(result['quality_flags'] ?? payload['quality_flags'], `${path}.quality_flags`),
    recipe: optional(text)(result['recipe'] ?? payload['recipe'], `${path}.recipe`),
    lotId: optional(nonNegative)(payload['lot_id'], 'payload.lot_id'),
    pieceId: optional(text)(payload['piece_id'], 'payload.piece_id'),
  };
}

function readAlert(payload: Fields): Alert {
  const state = ALERT_STATES.find((known) => known === payload['state']) ?? null;
  return {
    id: identifier(payload['id'], 'payload.id'),
    alarmId: optional(text)(payload['alarm_id'], 'payload.alarm_id'),
    kind: optional(text)(payload['alert_type'], 'payload.alert_type'),
    severity: oneOf(SEVERITIES)(payload['severity'], 'payload.severity'),
    title: optional(text)(payload['title'], 'payload.title'),
    message: text(payload['message'], 'payload.message'),
    deviceId: optional(text)(payload['device_id'] ?? payload['source'], 'payload.source'),
    siteCode: optional(text)(payload['site_code'], 'payload.site_code'),
    sampleId: optional(identifier)(payload['sample_id'], 'payload.sample_id'),
    raisedAtMs: instant(payload['timestamp'], 'payload.timestamp'),
    occurrences: optional(nonNegative)(payload['count'], 'payload.count') ?? 1,
    // A shelved alert is nobody's task until its time is over.
    isAcknowledged: state === 'shelved' || state === 'cleared' || (optional(flag)(payload['acknowledged'], 'payload.acknowledged') ?? false),
    acknowledgedBy: optional(text)(payload['acknowledged_by'], 'payload.acknowledged_by'),
    comment: null,
    shelf: null,
    state,
    firstAtMs: null,
    lotId: optional(nonNegative)(payload['lot_id'], 'payload.lot_id'),
    isOver: isOver(state),
    context: params(payload['data_context'], 'payload.data_context'),
  };
}

const readLinks = (payload: Fields): Links => ({
  database: flag(payload['database_connected'], 'payload.database_connected'),
  broker: flag(payload['broker_connected'], 'payload.broker_connected'),
  storing: flag(payload['storing'], 'payload.storing'),
});

const readDeviceStatus = (payload: Fields): LiveEvent => ({
  kind: 'device',
  deviceId: text(payload['device_id'], 'payload.device_id'),
  state: oneOf(DEVICE_STATES)(payload['status'], 'payload.status'),
});

function readSensor(payload: Fields, sentAtMs: number | null): LiveEvent {
  const sensor = oneOf(['VL53L8CH', 'AS7341'])(payload['sensor_type'], 'payload.sensor_type');
  return sensor === 'VL53L8CH'
    ? { kind: 'tof', sentAtMs, reading: readTof(payload) }
    : { kind: 'spectral', sentAtMs, reading: readSpectral(payload) };
}

function readMessage(message: Fields): LiveEvent {
  const type = text(message['type'], 'type');
  const sentAtMs = optional(instant)(message['timestamp'], 'timestamp');
  switch (type) {
    case 'connection_established':
      return { kind: 'welcome' };
    case 'ping':
      return { kind: 'ping' };
    case 'heartbeat_ack':
      return { kind: 'heartbeat_ack' };
    case 'sensor_data':
      return readSensor(fields(message['payload'], 'payload'), sentAtMs);
    case 'analysis_result':
      return { kind: 'fusion', sentAtMs, reading: readFusion(fields(message['payload'], 'payload')) };
    case 'latest_sample':
      return { kind: 'latest', sentAtMs, sample: sampleRow(message['data'], 'data') };
    case 'alert':
      return { kind: 'alert', alert: readAlert(fields(message['payload'], 'payload')) };
    case 'system_status':
      return { kind: 'links', links: readLinks(fields(message['payload'], 'payload')) };
    case 'device_status':
      return readDeviceStatus(fields(message['payload'], 'payload'));
    case 'gap':
      return { kind: 'gap', missed: missedCount(message) };
    default:
      return { kind: 'other', type };
  }
}

/** How many messages the server left out for us because we were slow; at least one, whatever it calls the count. */
function missedCount(message: Fields): number {
  const payload = optional(fields)(message['payload'], 'payload') ?? message;
  return optional(nonNegative)(payload['missed'] ?? payload['count'], 'payload.missed') ?? 1;
}

/** Turns one frame of the socket into an event. */
export function parseLiveMessage(frame: string): LiveEvent {
  try {
    return readMessage(fields(JSON.parse(frame) as unknown, 'message'));
  } catch (error) {
    if (error instanceof ShapeError) return { kind: 'unreadable', path: error.path, problem: error.problem };
    if (error instanceof SyntaxError) return { kind: 'unreadable', path: 'message', problem: 'is not JSON' };
    throw error;
  }
}
