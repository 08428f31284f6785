/** Messages and rows as the server writes them, for the tests to bend. */
import type { PartEvent } from '../src/live/joiner';
import { parseLiveMessage } from '../src/domain/live-messages';

export const DISTANCES = Array.from({ length: 8 }, (_, row) => Array.from({ length: 8 }, (__, column) => 100 + row * 8 + column));
export const CHANNEL_COUNTS = {
  F1_415nm: 1200,
  F2_445nm: 1500,
  F3_480nm: 1800,
  F4_515nm: 2000,
  F5_555nm: 2200,
  F6_590nm: 1900,
  F7_630nm: 1600,
  F8_680nm: 1400,
  Clear: 15000,
  NIR: 3000,
};

const common = (sampleId: string, deviceId: string) => ({
  device_id: deviceId,
  site_code: 'LL',
  sample_id: sampleId,
  timestamp: '2026-03-02T08:00:00.500Z',
});

export const tofMessage = (sampleId = 's1', deviceId = 'ESP32_LL_01') => ({
  type: 'sensor_data',
  timestamp: '2026-03-02T08:00:00.700Z',
  payload: {
    ...common(sampleId, deviceId),
    sensor_type: 'VL53L8CH',
    data: {
      raw: { distance_matrix: DISTANCES, reflectance_matrix: [], amplitude_matrix: [] },
      analysis: { volume_mm3: 50_000, volume_mm3_u: 900, surface_uniformity: 0.85, quality_score: 0.88, grade: 'A' },
    },
  },
});

export const spectralMessage = (sampleId = 's1', deviceId = 'ESP32_LL_01') => ({
  type: 'sensor_data',
  timestamp: '2026-03-02T08:00:00.700Z',
  payload: {
    ...common(sampleId, deviceId),
    sensor_type: 'AS7341',
    data: {
      raw: CHANNEL_COUNTS,
      analysis: { freshness_index: 0.92, fat_quality_index: 0.88, oxidation_index: 0.15, quality_score: 0.9 },
    },
  },
});

export const fusionMessage = (sampleId = 's1', deviceId = 'ESP32_LL_01') => ({
  type: 'analysis_result',
  timestamp: '2026-03-02T08:00:00.700Z',
  payload: {
    ...common(sampleId, deviceId),
    lot_id: 42,
    result: {
      final_score: 0.89,
      final_score_u: 0.02,
      final_grade: 'A',
      is_compliant: true,
      reasons: [{ code: 'grade', params: { grade: 'A', score: 0.89, limit: 0.75 } }],
    },
    confidence: 0.9,
  },
});

export const alertMessage = (id: string | number = 7) => ({
  type: 'alert',
  timestamp: '2026-03-02T08:00:01Z',
  payload: {
    id,
    severity: 'critical',
    title: 'grade_reject',
    message: 'Produit rejeté : score 0,31',
    source: 'ESP32_LL_01',
    timestamp: '2026-03-02T08:00:01Z',
    acknowledged: false,
    alert_type: 'grade_reject',
    data_context: { grade: 'REJECT', value: 0.31 },
  },
});

export const sampleRowOf = (sampleId: string, time: string) => ({
  time,
  sample_id: sampleId,
  device_id: 'ESP32_LL_01',
  lot_id: null,
  vl53l8ch_distance_matrix: DISTANCES,
  vl53l8ch_volume_mm3: 50_000,
  vl53l8ch_surface_uniformity: 0.85,
  vl53l8ch_quality_score: 0.88,
  vl53l8ch_grade: 'A',
  as7341_channels: CHANNEL_COUNTS,
  as7341_freshness_index: 0.92,
  as7341_fat_quality_index: 0.88,
  as7341_oxidation_index: 0.15,
  as7341_quality_score: 0.9,
  fusion_final_score: 0.89,
  fusion_final_grade: 'A',
  fusion_is_compliant: true,
});

/** The typed event of a sensor's or the fusion's message. */
export function part(message: object): PartEvent {
  const event = parseLiveMessage(JSON.stringify(message));
  if (event.kind !== 'tof' && event.kind !== 'spectral' && event.kind !== 'fusion') throw new Error(`read as ${event.kind}`);
  return event;
}
