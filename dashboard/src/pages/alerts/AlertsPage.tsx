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
import type { AlertPage } from '../../domain/records';
import { SEVERITIES, type Alert, type Severity } from '../../domain/types';
import { alertWords } from '../../domain/wording';
import { useTexts } from '../../i18n';
import { useAlerts } from '../../stores/alerts';
import { usePreferences } from '../../stores/preferences';
import { Handling } from './Handling';

const DAY_MS = 86_400_000;
const SPANS_MS = { day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS } as const;
type Span = keyof typeof SPANS_MS;
const FILTERS = ['open', 'acknowledged', 'shelved', 'cleared', 'every'] as const;
type State = (typeof FILTERS)[number];
type Gravity = Severity | 'every';

const LIMIT = 200;
const REFRESH_MS = 5_000;

const isOpen = (alert: Alert): boolean => !alert.isAcknowledged;
const MATCHES: Readonly<Record<State, (alert: Alert) => boolean>> = {
  open: isOpen,
  acknowledged: ({ state }) => state === 'acknowledged',
  shelved: ({ state }) => state === 'shelved',
  cleared: ({ state }) => state === 'cleared',
  every: () => true,
};

/** What a person did here a moment ago shows before the next answer does. */
function useCurrent(alerts: readonly Alert[], state: State): readonly Alert[] {
  const live = useAlerts((store) => store.alerts);
  const here = new Map(live.map((alert) => [alert.id, alert]));
  const current = alerts.map((alert) => {
    const mine = here.get(alert.id);
    if (mine === undefined || mine.isAcknowledged === alert.isAcknowledged) return alert;
    return { ...alert, isAcknowledged: mine.isAcknowledged, acknowledgedBy: mine.acknowledgedBy, shelf: mine.shelf, state: mine.state };
  });
  return state === 'open' ? current.filter(isOpen) : current.filter(MATCHES[state]);
}

function Group({ alerts, severity }: { readonly alerts: readonly Alert[]; readonly severity: Severity }) {
  const { t, language } = useTexts();
  const devices = useDevices();
  const mine = alerts.filter((alert) => alert.severity === severity);
  if (mine.length === 0) return null;
  return (
    <section aria-label={t.alerts.severity[severity]}>
      <h3 className={`alert-group severity-${severity}`}>{t.alarm.group(t.alerts.severity[severity], mine.length)}</h3>
      <ul>
        {mine.map((alert) => {
          const siteCode = alertSite(alert, devices);
          const subject = `${alertWords(alert, t, language).title}, ${alert.deviceId ?? siteCode ?? ''}`;
          return (
            <AlertRow key={alert.id} alert={alert} siteCode={siteCode}>
              <Handling alert={alert} subject={subject} />
            </AlertRow>
          );
        })}
      </ul>
    </section>
  );
}

function Rows({ page, state }: { readonly page: AlertPage; readonly state: State }) {
  const { t } = useTexts();
  const current = useCurrent(page.alerts, state);
  if (current.length === 0) return <Empty>{t.alertsPage.none}</Empty>;
  return (
    <section className="card alerts" aria-label={t.alertsPage.title}>
      <p className="quiet alerts-hidden" role="status">
        {page.isTruncated ? t.alarm.truncated(LIMIT) : t.alertsPage.found(current.length)}
      </p>
      {SEVERITIES.toReversed().map((severity) => (
        <Group key={severity} alerts={current} severity={severity} />
      ))}
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
    state: state === 'every' ? null : state,
    siteCode,
    deviceId,
    limit: LIMIT,
  };
  const { key, load } = alertsOf(filter, nowMs);
  const query = useQuery(key, load, REFRESH_MS);
  const { every, spans } = t.alertsPage;
  return (
    <Page title={t.alertsPage.title}>
      <div className="toolbar">
        <Segmented
          label={t.alertsPage.state}
          value={state}
          onChange={setState}
          options={FILTERS.map((value) => ({ value, label: t.alarm.filters[value], testId: `state-${value}` }))}
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
      <Loaded query={query}>{(page) => <Rows page={page} state={state} />}</Loaded>
    </Page>
  );
}
