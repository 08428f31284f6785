/** Rows of `/api/sqal/*` under their column names, turned into the page's own values. */
import { channels, flags, matrix, measured, params, reasons, reflectance, spectralFindings, tofFindings } from './readings';
import { fields, flag, identifier, instant, nonNegative, oneOf, optional, text, unit, type Fields, type Reader } from './shape';
import { ALERT_STATES, GRADES, SEVERITIES, type Alert, type AlertState, type Device, type JoinedSample, type Overview, type SampleKey } from './types';

function rowKey(row: Fields, path: string): SampleKey {
  return {
    deviceId: text(row['device_id'], `${path}.device_id`),
    siteCode: optional(text)(row['site_code'], `${path}.site_code`),
    sampleId: identifier(row['sample_id'], `${path}.sample_id`),
    measuredAtMs: instant(row['time'] ?? row['timestamp'], `${path}.time`),
    isBacklog: true,
  };
}

/** One row of `sqal_sensor_samples`. A stored row counts as backlog: it never pushes a newer live value aside. */
export const sampleRow: Reader<JoinedSample> = (value, path) => {
  const row = fields(value, path);
  const key = rowKey(row, path);
  const details = optional(fields)(row['details'], `${path}.details`) ?? {};
  const found = (sensor: string) => optional(fields)(details[sensor], `${path}.details.${sensor}`) ?? {};
  const grade = oneOf(GRADES)(row['fusion_final_grade'], `${path}.fusion_final_grade`);
  return {
    tof: {
      ...key,
      distanceMm: matrix(row['vl53l8ch_distance_matrix'], `${path}.vl53l8ch_distance_matrix`),
      reflectancePct: reflectance(row['vl53l8ch_reflectance_matrix'], `${path}.vl53l8ch_reflectance_matrix`),
      ...tofFindings(found('tof'), `${path}.details.tof`),
      beltDistanceMm: optional(nonNegative)(row['vl53l8ch_belt_distance_mm'], `${path}.vl53l8ch_belt_distance_mm`),
      volumeMm3: measured(row, 'vl53l8ch_volume_mm3', path),
      massG: measured(row, 'vl53l8ch_mass_g', path),
      uniformity: measured(row, 'vl53l8ch_surface_uniformity', path),
      score: optional(unit)(row['vl53l8ch_quality_score'], `${path}.vl53l8ch_quality_score`),
    },
    spectral: {
      ...key,
      counts: channels(row['as7341_channels'], `${path}.as7341_channels`),
      ...spectralFindings(found('spectral'), `${path}.details.spectral`),
      freshness: measured(row, 'as7341_freshness_index', path),
      fatQuality: measured(row, 'as7341_fat_quality_index', path),
      oxidation: measured(row, 'as7341_oxidation_index', path),
      score: optional(unit)(row['as7341_quality_score'], `${path}.as7341_quality_score`),
    },
    fusion: {
      ...key,
      score: {
        value: unit(row['fusion_final_score'], `${path}.fusion_final_score`),
        uncertainty: optional(nonNegative)(row['fusion_final_score_u'], `${path}.fusion_final_score_u`),
      },
      grade,
      gradeProbability: optional(unit)(row['fusion_grade_probability'], `${path}.fusion_grade_probability`),
      isCompliant: optional(flag)(row['fusion_is_compliant'], `${path}.fusion_is_compliant`) ?? grade !== 'REJECT',
      reasons: reasons(row['reasons'] ?? row['fusion_reasons'], `${path}.reasons`),
      flags: flags(row['quality_flags'], `${path}.quality_flags`),
      recipe: optional(text)(row['recipe'], `${path}.recipe`),
      lotId: optional(nonNegative)(row['lot_id'], `${path}.lot_id`),
      pieceId: optional(text)(row['piece_id'], `${path}.piece_id`),
    },
  };
};

const OPEN: readonly AlertState[] = ['unacknowledged', 'returned_unacknowledged'];
const OVER: readonly AlertState[] = ['returned_unacknowledged', 'cleared'];
const GOING_ON: readonly AlertState[] = ['unacknowledged', 'acknowledged'];

/** A shelved alert doesn't tell. */
export const isOver = (state: AlertState | null): boolean | null =>
  state === null ? null : OVER.includes(state) ? true : GOING_ON.includes(state) ? false : null;

export function shelfOf(row: Fields, path: string): Alert['shelf'] {
  const untilMs = optional(instant)(row['shelved_until'], `${path}.shelved_until`);
  if (untilMs === null) return null;
  return {
    untilMs,
    by: optional(text)(row['shelved_by'], `${path}.shelved_by`),
    reason: optional(text)(row['shelved_reason'], `${path}.shelved_reason`),
  };
}

/** One life cycle of an alert as it stands; `alert_id` is its newest occurrence. */
export const alertRow: Reader<Alert> = (value, path) => {
  const row = fields(value, path);
  const state = optional(oneOf(ALERT_STATES))(row['state'], `${path}.state`);
  return {
    id: identifier(row['alert_id'] ?? row['alarm_id'], `${path}.alert_id`),
    alarmId: optional(text)(row['alarm_id'], `${path}.alarm_id`),
    kind: optional(text)(row['alert_type'], `${path}.alert_type`),
    severity: oneOf(SEVERITIES)(row['severity'], `${path}.severity`),
    title: optional(text)(row['title'], `${path}.title`),
    message: text(row['message'], `${path}.message`),
    deviceId: optional(text)(row['device_id'], `${path}.device_id`),
    siteCode: optional(text)(row['site_code'], `${path}.site_code`),
    sampleId: optional(identifier)(row['sample_id'], `${path}.sample_id`),
    raisedAtMs: instant(row['time'], `${path}.time`),
    occurrences: optional(nonNegative)(row['occurrences'], `${path}.occurrences`) ?? 1,
    isAcknowledged: state === null ? false : !OPEN.includes(state),
    acknowledgedBy: optional(text)(row['acknowledged_by'], `${path}.acknowledged_by`),
    comment: optional(text)(row['comment'], `${path}.comment`),
    shelf: state === 'shelved' ? shelfOf(row, path) : null,
    state,
    firstAtMs: optional(instant)(row['first_at'], `${path}.first_at`),
    lotId: optional(nonNegative)(row['lot_id'], `${path}.lot_id`),
    isOver: isOver(state),
    context: params(row['data_context'], `${path}.data_context`),
  };
};

/** One row of `sqal_devices`. */
export const deviceRow: Reader<Device> = (value, path) => {
  const row = fields(value, path);
  return {
    id: text(row['device_id'], `${path}.device_id`),
    name: optional(text)(row['device_name'], `${path}.device_name`),
    siteCode: optional(text)(row['site_code'], `${path}.site_code`),
    status: optional(text)(row['status'], `${path}.status`),
  };
};

/** The answer of `/api/sqal/dashboard/overview`. */
export const overview: Reader<Overview> = (value, path) => {
  const source = fields(value, path);
  const day = fields(source['stats_24h'], `${path}.stats_24h`);
  return {
    samples: nonNegative(day['total_samples'], `${path}.stats_24h.total_samples`),
    averageScore: optional(unit)(day['avg_quality_score'], `${path}.stats_24h.avg_quality_score`),
    compliancePct: optional(nonNegative)(day['compliance_rate_pct'], `${path}.stats_24h.compliance_rate_pct`),
    activeAlerts: nonNegative(source['active_alerts'], `${path}.active_alerts`),
    criticalAlerts: nonNegative(source['critical_alerts'], `${path}.critical_alerts`),
    activeDevices: nonNegative(source['active_devices'], `${path}.active_devices`),
    totalDevices: nonNegative(source['total_devices'], `${path}.total_devices`),
  };
};
