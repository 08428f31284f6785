import { describe, expect, it } from 'vitest';
import { parseLiveMessage } from '../src/domain/live-messages';
import { eventRecord } from '../src/domain/records';
import { alertWords, eventWords } from '../src/domain/wording';
import type { Alert } from '../src/domain/types';
import { TEXTS } from '../src/i18n';
import { currentTrouble, mergeAlerts } from '../src/stores/alerts';
import { alertMessage } from './samples';

const event = (kind: string, data: object, code: string | null = null) =>
  eventRecord(
    {
      time: '2026-03-02T08:00:01Z',
      device_id: 'ESP32_LS_01',
      boot_id: 'b',
      seq: 4,
      kind,
      severity: 'critical',
      reason: code === null ? null : { code, params: {} },
      data,
    },
    'event',
  );

const alertIn = (state: string, at: string, more: object = {}): Alert => {
  const message = alertMessage();
  const payload = { ...message.payload, alert_type: 'sensor_fault', alarm_id: 'a', timestamp: at, state, ...more };
  const read = parseLiveMessage(JSON.stringify({ ...message, payload }));
  if (read.kind !== 'alert') throw new Error('not an alert');
  return read.alert;
};

describe('events of sensors', () => {
  it('say which chip, what is wrong and what to do, in both languages', () => {
    const absent = event('sensor_fault', { chip: 'VL53L8CH' }, 'sensor_absent');
    expect(eventWords(absent, TEXTS.fr, 'fr')).toEqual({
      title: 'Défaut de capteur',
      detail: 'VL53L8CH\u00a0: ne répond pas',
      advice: 'À faire\u00a0: vérifier câble et connecteur, puis l’alimentation',
    });
    expect(eventWords(absent, TEXTS.en, 'en').detail).toBe('VL53L8CH: does not answer');
  });

  it('say who still fails when one recovers', () => {
    const alone = event('sensor_recovered', { chip: 'VL53L8CH', failing: [] });
    const givenUp = event('sensor_fault', { chip: 'AS7341', rung: 'given up' }, 'sensor_absent');
    expect(eventWords(givenUp, TEXTS.en, 'en').detail).toBe('AS7341: does not answer (given up, tried again now and then)');
    const first = event('sensor_recovered', { chip: 'VL53L8CH', failing: ['AS7341'] });
    expect(eventWords(alone, TEXTS.en, 'en')).toEqual({ title: 'Sensor recovered', detail: 'VL53L8CH', advice: null });
    expect(eventWords(first, TEXTS.en, 'en').detail).toBe('VL53L8CH; still failing: AS7341');
  });

  it('call a simulated fault what it is, and tell its beginning from its end', () => {
    const words = (on: boolean) => eventWords(event('simulated_fault', { fault: 'dead-led', on }), TEXTS.en, 'en');
    expect(words(true)).toEqual({ title: 'Simulated fault', detail: 'begins: dead lamp', advice: null });
    expect(words(false).detail).toBe('ends: dead lamp');
    expect(eventWords(event('simulated_fault', { fault: 'new-one', on: true }), TEXTS.en, 'en').detail).toBe('begins: new-one');
  });

  it('survive what a strange device puts into them', () => {
    const strange = event('sensor_fault', { chip: 7, failing: 'all', fault: {} }, 'i2c_gone');
    expect(eventWords(strange, TEXTS.fr, 'fr')).toEqual({ title: 'Défaut de capteur', detail: 'i2c gone', advice: null });
  });
});

describe('the trouble of a device', () => {
  const context = { data_context: { reason: 'sensor_stuck_bus', chip: 'AS7341' } };
  const going = alertIn('unacknowledged', '2026-03-02T08:00:01Z', context);

  it('is what its alert says while that is not over', () => {
    expect(currentTrouble([going], 'ESP32_LL_01')).toBe(going);
    expect(alertWords(going, TEXTS.fr, 'fr').detail).toBe('AS7341\u00a0: son bus est bloqué');
    expect(currentTrouble([going], 'ESP32_LS_01')).toBeUndefined();
  });

  it('stays when somebody acknowledges it, and goes when it is over', () => {
    const acknowledged = alertIn('acknowledged', '2026-03-02T08:00:01Z', { acknowledged: true });
    const over = alertIn('returned_unacknowledged', '2026-03-02T08:00:01Z');
    expect(currentTrouble(mergeAlerts([going], [acknowledged]), 'ESP32_LL_01')).toBeDefined();
    expect(currentTrouble(mergeAlerts([going], [over]), 'ESP32_LL_01')).toBeUndefined();
  });

  it('is told by the newest of its occurrences, each of which is an alert of its own', () => {
    const again = alertIn('returned_unacknowledged', '2026-03-02T08:00:03Z', { id: 8 });
    expect(currentTrouble(mergeAlerts([going], [again]), 'ESP32_LL_01')).toBeUndefined();
  });

  it('is not guessed from rows that do not tell', () => {
    expect(currentTrouble([{ ...going, isOver: null }], 'ESP32_LL_01')).toBeUndefined();
  });
});
