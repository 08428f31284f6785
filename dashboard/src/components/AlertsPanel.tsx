import { useState } from 'react';
import { useTexts } from '../i18n';
import { pendingAlerts, useAlerts } from '../stores/alerts';
import { useFleet } from '../stores/fleet';
import { usePreferences } from '../stores/preferences';
import { AlertRow } from './AlertRow';
import { Segmented } from './Segmented';
import { alertSite, useDevices, useFilteredAlerts } from './useShown';

/** Rows on the page; the list is sorted by urgency, so what is left out is the least of it. */
const ROWS_MAX = 50;

type View = 'pending' | 'all';

/** Who acknowledges: asked once, kept in this browser. */
export function Operator() {
  const { t } = useTexts();
  const operator = usePreferences((state) => state.operator);
  const setOperator = usePreferences((state) => state.setOperator);
  return (
    <label className="operator">
      <span>{t.alerts.operator}</span>
      <input
        type="text"
        autoComplete="name"
        value={operator}
        placeholder={t.alerts.operatorHint}
        onChange={(event) => {
          setOperator(event.target.value);
        }}
      />
    </label>
  );
}

function Empty({ view }: { readonly view: View }) {
  const { t } = useTexts();
  const isLoaded = useAlerts((state) => state.isLoaded);
  const error = useFleet((state) => state.alertsError);
  if (!isLoaded && error !== null) return <p className="empty">{t.alerts.failed}</p>;
  if (!isLoaded) return <p className="empty">{t.alerts.loading}</p>;
  return <p className="empty">{view === 'pending' ? t.alerts.none : t.alerts.noneAtAll}</p>;
}

/** The alerts of the last day: what is to be handled first, in order of urgency. */
export function AlertsPanel() {
  const { t } = useTexts();
  const [view, setView] = useState<View>('pending');
  const alerts = useAlerts((state) => state.alerts);
  const devices = useDevices();
  const filtered = useFilteredAlerts();
  const pending = pendingAlerts(filtered);
  const hidden = pendingAlerts(alerts).length - pending.length;
  const shown = (view === 'pending' ? pending : filtered).slice(0, ROWS_MAX);
  return (
    <section className="card alerts" id="alerts" aria-labelledby="alerts-title" tabIndex={-1}>
      <header className="alerts-head">
        <h2 id="alerts-title">{t.alerts.title}</h2>
        <Segmented
          label={t.alerts.view}
          value={view}
          onChange={setView}
          options={[
            { value: 'pending', label: t.alerts.pending(String(pending.length)) },
            { value: 'all', label: t.alerts.all(String(filtered.length)) },
          ]}
        />
        <Operator />
      </header>
      {hidden > 0 && <p className="quiet alerts-hidden">{t.alerts.hidden(hidden)}</p>}
      {shown.length === 0 ? (
        <Empty view={view} />
      ) : (
        <ul className="alert-list">
          {shown.map((alert) => (
            <AlertRow key={alert.id} alert={alert} siteCode={alertSite(alert, devices)} />
          ))}
        </ul>
      )}
    </section>
  );
}
