import type { ReactNode } from 'react';
import type { Alert } from '../domain/types';
import { alertWords } from '../domain/wording';
import { decimal, momentOf, utc } from '../format';
import { useTexts } from '../i18n';
import { useAlerts } from '../stores/alerts';
import { Link } from '../router/Link';
import { pathOf } from '../router/route';
import { usePreferences } from '../stores/preferences';
import { useMinute } from './useNow';

function Acknowledge({ alert, subject }: { readonly alert: Alert; readonly subject: string }) {
  const { t } = useTexts();
  const state = useAlerts((store) => store.acknowledging[alert.id]);
  const acknowledge = useAlerts((store) => store.acknowledge);
  const operator = usePreferences((store) => store.operator).trim();
  if (alert.isAcknowledged) return null;
  const isSending = state?.phase === 'sending';
  return (
    <>
      <button
        type="button"
        className="button"
        data-testid="acknowledge"
        aria-label={t.alerts.acknowledgeThis(subject)}
        disabled={isSending}
        onClick={() => void acknowledge(alert.id, operator === '' ? t.alerts.defaultOperator : operator)}
      >
        {isSending ? t.alerts.acknowledging : t.alerts.acknowledge}
      </button>
      {state?.phase === 'failed' && (
        <span className="row-error" role="alert">
          {t.alerts.acknowledgeFailed(state.reason)}
        </span>
      )}
    </>
  );
}

/** What became of the alert: acknowledged by whom and with which words, shelved until when and why, over. */
function Standing({ alert }: { readonly alert: Alert }) {
  const { t, language } = useTexts();
  const minuteMs = useMinute();
  const { alarm } = t;
  const because = (words: string | null) => (words === null || words === '' ? '' : alarm.because(words));
  if (alert.shelf !== null) {
    const { untilMs, by, reason } = alert.shelf;
    const until = momentOf(untilMs, minuteMs, language);
    return <span className="standing">{alarm.shelvedUntil(until, by === null ? '' : alarm.by(by), because(reason))}</span>;
  }
  if (alert.acknowledgedBy !== null) {
    return <span className="standing">{`${t.alerts.acknowledgedBy(alert.acknowledgedBy)}${because(alert.comment)}`}</span>;
  }
  return alert.isAcknowledged ? <span className="standing">{t.alerts.acknowledged}</span> : null;
}

interface AlertRowProps {
  readonly alert: Alert;
  readonly siteCode: string | null;
  /** What else a person may do about it here. */
  readonly children?: ReactNode;
}

export function AlertRow({ alert, siteCode, children }: AlertRowProps) {
  const { t, language } = useTexts();
  const { title, detail } = alertWords(alert, t, language);
  const minuteMs = useMinute();
  const where = [siteCode, alert.deviceId].filter((part) => part !== null).join(' · ');
  const isLong = alert.firstAtMs !== null && alert.occurrences > 1;
  return (
    <li
      className={`alert-row severity-${alert.severity}${alert.isAcknowledged ? ' is-acknowledged' : ''}`}
      data-testid="alert-row"
      data-alert-id={alert.id}
      data-severity={alert.severity}
      data-state={alert.state ?? undefined}
    >
      <span className="alert-severity">{t.alerts.severity[alert.severity]}</span>
      <time dateTime={new Date(alert.raisedAtMs).toISOString()} title={utc(alert.raisedAtMs)}>
        {momentOf(alert.raisedAtMs, minuteMs, language)}
      </time>
      <span className="alert-where">{where}</span>
      <span className="alert-words">
        <strong>
          {title}
          {t.colon}
        </strong>
        <span>{detail}</span>
        {alert.isOver && <span className="quiet"> ({t.alerts.over})</span>}
        {alert.occurrences > 1 && (
          <span className="quiet" title={alert.firstAtMs === null ? undefined : utc(alert.firstAtMs)}>
            {' '}
            {t.alerts.times(decimal(alert.occurrences, language))}
            {isLong && ` ${t.alarm.since(momentOf(alert.firstAtMs, minuteMs, language))}`}
          </span>
        )}
        <Standing alert={alert} />
      </span>
      <span className="alert-action">
        {alert.sampleId !== null && (
          <Link to={pathOf('sample', alert.sampleId)} testId="see-sample" label={`${t.alertsPage.sample}${t.colon}${title}, ${where}`}>
            {t.alertsPage.sample}
          </Link>
        )}
        <Acknowledge alert={alert} subject={`${title}, ${where}`} />
        {children}
      </span>
    </li>
  );
}
