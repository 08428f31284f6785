/** Alerts of a period, filtered as the API can: what happened, who took it, and the piece behind it. */
import { useState } from 'react';
import { AlertRow } from '../../components/AlertRow';
import { Operator } from '../../components/AlertsPanel';
import { FilterBar } from '../../components/FilterBar';
import { Empty, Loaded, Page } from '../../components/Page';
import { Segmented } from '../../components/Segmented';
import { Select } from '../../components/Select';
import { useMinute } from '../../components/useNow';
import { alertSite, useDevices } from '../../components/useShown';
import { alertsOf } from '../../data/calls';
import { useQuery } from '../../data/queries';
import { SEVERITIES, type Alert, type Severity } from '../../domain/types';
import { useTexts } from '../../i18n';
import { useAlerts } from '../../stores/alerts';
import { usePreferences } from '../../stores/preferences';

const DAY_MS = 86_400_000;
const SPANS_MS = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS } as const;
type Span = keyof typeof SPANS_MS;
type State = 'every' | 'open' | 'done';
type Gravity = Severity | 'every';

const LIMIT = 200;
const REFRESH_MS = 5_000;

/** What a person did here a moment ago shows before the next answer does. */
function useCurrent(alerts: readonly Alert[], state: State): readonly Alert[] {
  const live = useAlerts((store) => store.alerts);
  const taken = new Map(live.filter((alert) => alert.isAcknowledged).map((alert) => [alert.id, alert]));
  const current = alerts.map((alert) => (alert.isAcknowledged ? alert : (taken.get(alert.id) ?? alert)));
  return state === 'open' ? current.filter((alert) => !alert.isAcknowledged) : current;
}

function Rows({ alerts, state }: { readonly alerts: readonly Alert[]; readonly state: State }) {
  const { t } = useTexts();
  const devices = useDevices();
  const current = useCurrent(alerts, state);
  if (current.length === 0) return <Empty>{t.alertsPage.none}</Empty>;
  return (
    <section className="card alerts" aria-label={t.alertsPage.title}>
      <p className="quiet alerts-hidden" role="status">
        {alerts.length === LIMIT ? t.alertsPage.newest(LIMIT) : t.alertsPage.found(current.length)}
      </p>
      <ul>
        {current.map((alert) => (
          <AlertRow key={alert.id} alert={alert} siteCode={alertSite(alert, devices)} />
        ))}
      </ul>
    </section>
  );
}

export default function AlertsPage() {
  const { t } = useTexts();
  const { siteCode, deviceId } = usePreferences();
  const [state, setState] = useState<State>('open');
  const [span, setSpan] = useState<Span>('day');
  const [gravity, setGravity] = useState<Gravity>('every');
  const nowMs = useMinute();
  const filter = {
    spanMs: SPANS_MS[span],
    severity: gravity === 'every' ? null : gravity,
    isAcknowledged: state === 'every' ? null : state === 'done',
    siteCode,
    deviceId,
    limit: LIMIT,
  };
  const { key, load } = alertsOf(filter, nowMs);
  const query = useQuery(key, load, REFRESH_MS);
  const { every, open, done, spans } = t.alertsPage;
  return (
    <Page title={t.alertsPage.title}>
      <div className="toolbar">
        <Segmented
          label={t.alertsPage.state}
          value={state}
          onChange={setState}
          options={[
            { value: 'open', label: open, testId: 'state-open' },
            { value: 'done', label: done, testId: 'state-done' },
            { value: 'every', label: every, testId: 'state-every' },
          ]}
        />
        <Select
          label={t.alertsPage.severity}
          testId="severity-filter"
          value={gravity}
          onChange={setGravity}
          choices={[{ value: 'every', label: every }, ...SEVERITIES.map((value) => ({ value, label: t.alerts.severity[value] }))]}
        />
        <Select
          label={t.alertsPage.period}
          value={span}
          onChange={setSpan}
          choices={[
            { value: 'day', label: spans.day },
            { value: 'week', label: spans.week },
            { value: 'month', label: spans.month },
          ]}
        />
        <FilterBar />
        <Operator />
      </div>
      <Loaded query={query}>{(alerts) => <Rows alerts={alerts} state={state} />}</Loaded>
    </Page>
  );
}
