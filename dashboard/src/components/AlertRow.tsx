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
  if (alert.isAcknowledged) {
    const by = alert.acknowledgedBy;
    return <span className="quiet">{by === null ? t.alerts.acknowledged : t.alerts.acknowledgedBy(by)}</span>;
  }
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

interface AlertRowProps {
  readonly alert: Alert;
  readonly siteCode: string | null;
}

export function AlertRow({ alert, siteCode }: AlertRowProps) {
  const { t, language } = useTexts();
  const { title, detail } = alertWords(alert, t, language);
  const minuteMs = useMinute();
  const where = [siteCode, alert.deviceId].filter((part) => part !== null).join(' · ');
  return (
    <li
      className={`alert-row severity-${alert.severity}${alert.isAcknowledged ? ' is-acknowledged' : ''}`}
      data-testid="alert-row"
      data-alert-id={alert.id}
      data-severity={alert.severity}
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
        {alert.isOver === true && <span className="quiet"> ({t.alerts.over})</span>}
        {alert.occurrences > 1 && <span className="quiet"> {t.alerts.times(decimal(alert.occurrences, language))}</span>}
      </span>
      <span className="alert-action">
        {alert.sampleId !== null && (
          <Link to={pathOf('sample', alert.sampleId)} testId="see-sample" label={`${t.alertsPage.sample}${t.colon}${title}, ${where}`}>
            {t.alertsPage.sample}
          </Link>
        )}
        <Acknowledge alert={alert} subject={`${title}, ${where}`} />
      </span>
    </li>
  );
}
