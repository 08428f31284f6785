/** What a device shall be set to, what it is set to, and what it refused. */
import { useState } from 'react';
import { call } from '../../api';
import { Field, Form, Submit } from '../../components/Act';
import { Moment } from '../../components/Figures';
import { Loaded, Panel } from '../../components/Page';
import { Select } from '../../components/Select';
import { send, useAction } from '../../data/actions';
import { refresh, useQuery } from '../../data/queries';
import { twin, type Twin } from '../../domain/device-records';
import { decimal, NO_VALUE } from '../../format';
import { useTexts } from '../../i18n';
import { may, useSession } from '../../stores/session';

const REFRESH_MS = 2_000;
const KEYS = ['lot_id', 'mode', 'rate_hz', 'recipe'] as const;
const MODES = ['belt', 'timed', 'free'] as const;
type Mode = (typeof MODES)[number];

function Table({ found }: { readonly found: Twin }) {
  const { t, language } = useTexts();
  const modes: Readonly<Record<string, string>> = t.devicePage.modes;
  const shown = (value: unknown): string => {
    if (value === undefined || value === null) return NO_VALUE;
    if (typeof value === 'number') return decimal(value, language, Number.isInteger(value) ? 0 : 1);
    return typeof value === 'string' ? (modes[value] ?? value) : JSON.stringify(value);
  };
  return (
    <table className="table is-tight">
      <thead>
        <tr>
          <th scope="col">{t.devicePage.setting}</th>
          <th scope="col">{t.devicePage.desired}</th>
          <th scope="col">{t.devicePage.reported}</th>
        </tr>
      </thead>
      <tbody>
        {KEYS.map((key) => (
          <tr key={key} data-testid={`twin-${key}`}>
            <th scope="row">{t.devicePage.keys[key]}</th>
            <td data-label={t.devicePage.desired}>{shown(found.desired[key])}</td>
            <td data-label={t.devicePage.reported}>{shown(found.settings[key])}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Editor({ deviceId, onSet }: { readonly deviceId: string; readonly onSet: () => Promise<void> }) {
  const { t } = useTexts();
  const [lot, setLot] = useState('');
  const [rate, setRate] = useState('');
  const [mode, setMode] = useState<Mode | ''>('');
  const action = useAction();
  const change = {
    ...(lot !== '' && { lot_id: Number(lot) }),
    ...(rate !== '' && { rate_hz: Number(rate.replace(',', '.')) }),
    ...(mode !== '' && { mode }),
  };
  const isEmpty = Object.keys(change).length === 0;
  return (
    <Form
      label={t.devicePage.change}
      testId="twin-form"
      onSubmit={() => {
        action.run(async () => {
          await send('PUT', `/api/sqal/devices/${encodeURIComponent(deviceId)}/twin`, change, twin);
          setLot('');
          setRate('');
          setMode('');
          await onSet();
        });
      }}
    >
      <Field label={t.devicePage.keys.lot_id} value={lot} onChange={setLot} type="number" testId="twin-lot" hint={t.devicePage.unchanged} />
      <Select
        label={t.devicePage.keys.mode}
        value={mode}
        onChange={setMode}
        choices={[{ value: '', label: t.devicePage.unchanged }, ...MODES.map((value) => ({ value, label: t.devicePage.modes[value] }))]}
      />
      <Field label={t.devicePage.rate} value={rate} onChange={setRate} testId="twin-rate" hint={t.devicePage.unchanged} />
      <Submit action={action} testId="twin-save" isOff={isEmpty} done={t.devicePage.told}>
        {t.devicePage.change}
      </Submit>
    </Form>
  );
}

export function TwinPanel({ deviceId }: { readonly deviceId: string }) {
  const { t } = useTexts();
  const me = useSession((state) => state.me);
  const path = `/api/sqal/devices/${encodeURIComponent(deviceId)}/twin`;
  const load = () => call(path, twin);
  const query = useQuery(path, load, REFRESH_MS);
  return (
    <Panel title={t.devicePage.twin}>
      <Loaded query={query}>
        {(found) => (
          <>
            <p data-testid="agreement" data-agreement={found.agreement}>
              <strong className={found.agreement === 'refused' ? 'row-error' : found.agreement === 'agrees' ? 'done' : ''}>
                {t.devicePage.agreements[found.agreement]}
              </strong>{' '}
              {found.desiredAtMs !== null && (
                <span className="quiet">
                  {t.devicePage.askedBy(found.desiredBy ?? NO_VALUE)} <Moment ms={found.desiredAtMs} />
                </span>
              )}
            </p>
            {found.agreement === 'refused' &&
              found.errors.map(([key, reason]) => (
                <p key={key} className="row-error" data-testid="twin-error">
                  {key}
                  {t.colon}
                  {reason}
                </p>
              ))}
            <Table found={found} />
          </>
        )}
      </Loaded>
      {may(me, 'operator') && <Editor deviceId={deviceId} onSet={() => refresh(path, load)} />}
    </Panel>
  );
}
