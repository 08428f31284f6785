import { decimal, NO_VALUE, percent, score } from '../format';
import { useTexts } from '../i18n';
import { useFleet } from '../stores/fleet';

interface KpiProps {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly note?: string;
  readonly isOfDay?: boolean;
  readonly isUrgent?: boolean;
}

function Kpi({ id, label, value, note = '', isOfDay = false, isUrgent = false }: KpiProps) {
  const { t } = useTexts();
  return (
    <div className={isUrgent ? 'kpi is-urgent' : 'kpi'} data-testid={`kpi-${id}`}>
      <dt>
        {label} {isOfDay && <span className="kpi-period">{t.kpi.period}</span>}
      </dt>
      <dd>
        <span className="kpi-value">{value}</span>
        <span className="quiet">{note}</span>
      </dd>
    </div>
  );
}

/** The last 24 hours in five numbers. */
export function KpiRow() {
  const { t, language } = useTexts();
  const overview = useFleet((state) => state.overview);
  const error = useFleet((state) => state.overviewError);
  const critical = overview?.criticalAlerts ?? 0;
  const isOut = overview === null && error !== null;
  const show = (value: number | null | undefined, words: (value: number) => string) =>
    value === null || value === undefined ? NO_VALUE : words(value);
  const whole = (value: number) => decimal(value, language);
  return (
    <dl className="kpis" aria-label={t.kpi.label} title={isOut ? `${t.kpi.unavailable} (${error})` : undefined}>
      <Kpi id="samples" label={t.kpi.samples} value={show(overview?.samples, whole)} isOfDay />
      <Kpi
        id="score"
        label={t.kpi.score}
        value={show(overview?.averageScore, (value) => score(value, language))}
        note="/ 100"
        isOfDay
      />
      <Kpi
        id="compliance"
        label={t.kpi.compliance}
        value={show(overview?.compliancePct, (value) => percent(value, language))}
        isOfDay
      />
      <Kpi
        id="alerts"
        label={t.kpi.alerts}
        value={show(overview?.activeAlerts, whole)}
        note={critical > 0 ? t.kpi.critical(critical) : ''}
        isUrgent={critical > 0}
      />
      <Kpi
        id="devices"
        label={t.kpi.devices}
        value={overview === null ? NO_VALUE : `${whole(overview.activeDevices)} / ${whole(overview.totalDevices)}`}
        note={isOut ? t.kpi.unavailable : ''}
      />
    </dl>
  );
}
