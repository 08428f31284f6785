/**
 * Calibration step by step: what to lay under the sensors, a person's word that it lies there, the device's verdict.
 *
 * A refused step can be repeated for ever; what was measured before stays in use until a step has passed. Gauge bodies:
 * the device is told what the earlier ones of the set gave, and keeps the mean of all.
 */
import { useState } from 'react';
import { Field } from '../../components/Act';
import { Moment } from '../../components/Figures';
import { Empty, Loaded, Panel } from '../../components/Page';
import { call } from '../../api';
import { useCommand, type Command } from '../../data/commands';
import { refresh, useQuery } from '../../data/queries';
import { calibrations, type Calibration } from '../../domain/device-records';
import { decimal } from '../../format';
import { useTexts } from '../../i18n';
import { may, useSession } from '../../stores/session';
import { Answer } from './Answer';

export const STEPS = ['belt', 'dark', 'white', 'gauge1', 'gauge2', 'gauge3'] as const;
export type Step = (typeof STEPS)[number];

const MM3_PER_CM3 = 1_000;
const PASSES = 5;
const REFRESH_MS = 15_000;

const calibrationsOf = (deviceId: string) => {
  const path = `/api/sqal/calibrations?${new URLSearchParams({ device_id: deviceId, limit: '20' }).toString()}`;
  return { key: path, load: () => call(path, calibrations) };
};

const isGauge = (step: Step): boolean => step.startsWith('gauge');

/** Factor and uncertainty of one body, from the answer to its step. */
type Body = readonly [number, number];

function bodyOf(result: Readonly<Record<string, unknown>>): Body | null {
  const { body_factor: factor, body_factor_u: factorU } = result;
  return typeof factor === 'number' && typeof factorU === 'number' ? [factor, factorU] : null;
}

interface StepBodyProps {
  readonly step: Step;
  readonly command: Command;
  readonly onMeasure: (volumeCm3: number | null) => void;
}

function StepBody({ step, command, onMeasure }: StepBodyProps) {
  const { t } = useTexts();
  const [isInPlace, setInPlace] = useState(false);
  const [volume, setVolume] = useState('');
  const words = t.devicePage.steps[step];
  const volumeCm3 = Number(volume.replace(',', '.'));
  const isReady = isInPlace && (!isGauge(step) || volumeCm3 > 0);
  return (
    <div className="step-body">
      <h4>{words.title}</h4>
      <p>{words.todo}</p>
      {isGauge(step) && <Field label={t.devicePage.volume} value={volume} onChange={setVolume} testId="gauge-volume" />}
      <label className="check">
        <input
          type="checkbox"
          data-testid="in-place"
          checked={isInPlace}
          onChange={(event) => {
            setInPlace(event.target.checked);
          }}
        />
        {words.ready}
      </label>
      <div className="actions">
        <button
          type="button"
          className="button is-main"
          data-testid="measure"
          disabled={!isReady || command.isUnderWay}
          onClick={() => {
            onMeasure(isGauge(step) ? volumeCm3 : null);
          }}
        >
          {command.isUnderWay ? t.devicePage.measuring : t.devicePage.measure}
        </button>
      </div>
      <Answer command={command} />
    </div>
  );
}

function Steps({ deviceId, onPassed }: { readonly deviceId: string; readonly onPassed: () => void }) {
  const { t } = useTexts();
  const command = useCommand(deviceId);
  const [step, setStep] = useState<Step>('belt');
  const [passed, setPassed] = useState<readonly Step[]>([]);
  const [bodies, setBodies] = useState<readonly Body[]>([]);
  const [shown, setShown] = useState<Step | null>(null);
  const measure = async (volumeCm3: number | null) => {
    setShown(step);
    const args =
      volumeCm3 === null
        ? { what: step, in_place: true }
        : { what: 'gauge', in_place: true, volume_mm3: volumeCm3 * MM3_PER_CM3, passes: PASSES, others: bodies };
    const state = await command.run('calibrate', args);
    if (state?.progress !== 'done') return;
    const body = bodyOf(state.result);
    if (body !== null) setBodies([...bodies, body]);
    setPassed([...passed.filter((each) => each !== step), step]);
    onPassed();
  };
  const idle: Command = { ...command, state: null, reason: null };
  const next = STEPS[STEPS.indexOf(step) + 1];
  return (
    <div className="wizard" data-testid="wizard">
      <ol className="steps">
        {STEPS.map((each) => (
          <li key={each}>
            <button
              type="button"
              className={each === step ? 'step is-current' : 'step'}
              aria-current={each === step ? 'step' : undefined}
              data-testid={`step-${each}`}
              data-passed={passed.includes(each)}
              disabled={command.isUnderWay}
              onClick={() => {
                setStep(each);
              }}
            >
              <span aria-hidden="true">{passed.includes(each) ? '✓' : '○'}</span> {t.devicePage.steps[each].title}
              {passed.includes(each) && <span className="visually-hidden"> ({t.devicePage.passed})</span>}
            </button>
          </li>
        ))}
      </ol>
      <div>
        <StepBody key={step} step={step} command={shown === step ? command : idle} onMeasure={(volume) => void measure(volume)} />
        {passed.includes(step) && next !== undefined && (
          <button
            type="button"
            className="button"
            data-testid="next-step"
            onClick={() => {
              setStep(next);
            }}
          >
            {t.devicePage.nextStep(t.devicePage.steps[next].title)}
          </button>
        )}
        {passed.includes(step) && next === undefined && <p className="done">{t.devicePage.allDone}</p>}
      </div>
    </div>
  );
}

function Row({ entry }: { readonly entry: Calibration }) {
  const { t, language } = useTexts();
  const procedures: Readonly<Record<string, string>> = t.devicePage.procedures;
  const sensors: Readonly<Record<string, string>> = t.devicePage.sensorNames;
  const left = entry.daysLeft === null || entry.status !== 'valid' ? null : t.devicePage.daysLeft(decimal(Math.floor(entry.daysLeft), language));
  return (
    <li>
      <Moment ms={entry.atMs} />
      <strong>{sensors[entry.sensor] ?? entry.sensor}</strong>
      <span>
        {procedures[entry.procedure] ?? entry.procedure} · {t.devicePage.status[entry.status]}
        {left !== null && ` (${left})`}
        {entry.drifted.length > 0 && <span className="row-error"> {t.devicePage.drifted(entry.drifted.join(', '))}</span>}
      </span>
    </li>
  );
}

export function Calibrations({ deviceId }: { readonly deviceId: string }) {
  const { t } = useTexts();
  const me = useSession((state) => state.me);
  const { key, load } = calibrationsOf(deviceId);
  const query = useQuery(key, load, REFRESH_MS);
  return (
    <Panel title={t.devicePage.calibration}>
      {may(me, 'operator') ? (
        <>
          <p className="quiet">{t.devicePage.calibrationHelp}</p>
          <Steps deviceId={deviceId} onPassed={() => void refresh(key, load)} />
        </>
      ) : (
        <p className="quiet">{t.access.needs(t.access.roles.operator)}</p>
      )}
      <h4>{t.devicePage.onRecord}</h4>
      <Loaded query={query}>
        {(entries) =>
          entries.length === 0 ? (
            <Empty>{t.devicePage.noCalibrations}</Empty>
          ) : (
            <ul className="record-list" data-testid="calibrations">
              {entries.map((entry) => (
                <Row key={entry.id} entry={entry} />
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}
