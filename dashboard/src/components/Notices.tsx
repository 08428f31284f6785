import { alertWords } from '../domain/wording';
import { age, momentOf } from '../format';
import { useTexts } from '../i18n';
import { useAlerts } from '../stores/alerts';
import { useConnection } from '../stores/connection';
import { useFleet } from '../stores/fleet';
import { useMinute, useNow } from './useNow';
import { useFilteredAlerts } from './useShown';

/** Says that the server is gone, when the next try is, and lets a person try now. */
export function OfflineNotice({ onRetry }: { readonly onRetry: () => void }) {
  const { t, language } = useTexts();
  const nowMs = useNow();
  const status = useConnection((state) => state.status);
  const isLost = status.phase === 'waiting' || (status.phase === 'connecting' && status.attempt > 1);
  if (!isLost) return null;
  const next =
    status.phase === 'waiting' ? t.connection.retryIn(age(Math.max(0, status.retryAtMs - nowMs), language)) : t.connection.retrying;
  return (
    <div className="notice notice-offline" data-testid="offline-notice">
      <p>
        <span role="alert">{t.connection.offlineNotice}</span> <span className="quiet">{next}</span>
      </p>
      <button type="button" className="button" onClick={onRetry}>
        {t.connection.retryNow}
      </button>
    </div>
  );
}

/** The most urgent alert that nobody has taken yet, above everything else. */
export function CriticalNotice() {
  const { t, language } = useTexts();
  const minuteMs = useMinute();
  const [first] = useFilteredAlerts();
  if (first?.severity !== 'critical' || first.isAcknowledged) return null;
  const { title, detail } = alertWords(first, t, language);
  return (
    <div className="notice notice-critical">
      <p>
        <strong>{t.alerts.severity.critical}</strong> <span>{momentOf(first.raisedAtMs, minuteMs, language)}</span>{' '}
        {first.deviceId !== null && <span>{first.deviceId}</span>}{' '}
        <span>
          {title}
          {t.colon}
          {detail}
        </span>
      </p>
      <a className="button" href="#alerts">
        {t.alerts.show}
      </a>
    </div>
  );
}

/** Says which link behind the server is missing, and what that means for the person. */
export function LinksNotice() {
  const { t } = useTexts();
  const links = useConnection((state) => state.links);
  const isOpen = useConnection((state) => state.status.phase === 'open');
  if (links === null || !isOpen || (links.database && links.broker && links.storing)) return null;
  const words = !links.broker ? t.links.broker : !links.database ? t.links.database : t.links.storing;
  return (
    <div className="notice notice-error" data-testid="links-notice">
      <p role="alert">{words}</p>
    </div>
  );
}

/** Reads new alerts to people who don't see them. */
export function AlertAnnouncer() {
  const { t, language } = useTexts();
  const newest = useAlerts((state) => state.newest);
  const { title, detail } = newest === null ? { title: '', detail: '' } : alertWords(newest, t, language);
  return (
    <div className="visually-hidden" aria-live="assertive">
      {newest !== null && t.alerts.announce(t.alerts.severity[newest.severity], `${newest.deviceId ?? ''} ${title}, ${detail}`)}
    </div>
  );
}

/** What a REST call could not give, with the reason behind a fold. */
export function ErrorNotice({ onRetry }: { readonly onRetry: () => void }) {
  const { t } = useTexts();
  const { devicesError, overviewError, alertsError } = useFleet();
  const isOpen = useConnection((state) => state.status.phase === 'open');
  const problems = [devicesError, overviewError, alertsError].filter((problem) => problem !== null);
  // While the server is away, the offline notice says it all.
  if (problems.length === 0 || !isOpen) return null;
  return (
    <div className="notice notice-error" data-testid="error-notice">
      <div>
        <p role="alert">{t.states.errorTitle}</p>
        <details>
          <summary>{t.states.details}</summary>
          <ul>
            {problems.map((problem) => (
              <li key={problem}>{problem}</li>
            ))}
          </ul>
        </details>
      </div>
      <button type="button" className="button" onClick={onRetry}>
        {t.states.retry}
      </button>
    </div>
  );
}

/** What came but could not be used: small, but never silent. */
export function Footer() {
  const { t } = useTexts();
  const { unreadable, lastProblem, incomplete, missed } = useConnection();
  return (
    <footer className="page-foot quiet">
      <span>{t.footer.times}</span>
      {unreadable > 0 && <span title={lastProblem ?? undefined}>{t.connection.unreadable(unreadable)}</span>}
      {incomplete > 0 && <span>{t.connection.incomplete(incomplete)}</span>}
      {missed > 0 && <span>{t.connection.missed(missed)}</span>}
      <a href="/docs">{t.footer.docs}</a>
    </footer>
  );
}
