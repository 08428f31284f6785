import { eventsOf } from '../data/calls';
import { useQuery } from '../data/queries';
import { decimal, NO_VALUE, percent, score } from '../format';
import { useTexts } from '../i18n';
import { useFleet } from '../stores/fleet';
import { isOncePerPiece, useLive } from '../stores/live';
import { useMinute } from './useNow';

interface KpiProps {
  readonly id: string;
  readonly label: string;
  readonly value: string;
  readonly note?: string;
  readonly hint?: string;
  readonly isOfDay?: boolean;
  readonly isUrgent?: boolean;
}

function Kpi({ id, label, value, note = '', hint, isOfDay = false, isUrgent = false }: KpiProps) {
  const { t } = useTexts();
  return (
    <div className={isUrgent ? 'kpi is-urgent' : 'kpi'} data-testid={`kpi-${id}`}>
      <dt>
        {label} {isOfDay && <span className="kpi-period">{t.kpi.period}</span>}
      </dt>
      <dd>
        <span className="kpi-value">{value}</span>
        <span className="quiet" title={hint} data-testid={`kpi-${id}-note`}>
          {note}
        </span>
      </dd>
    </div>
  );
}

const UNGRADED_EVERY_MS = 10_000;
/** As many as the server gives at once; beyond it, "at least". */
const UNGRADED_MAX = 200;
const DAY_MS = 86_400_000;

/** Pieces of the last 24 hours that were seen but not gradable; null while nobody told. */
function useUngraded(): string | null {
  const { language } = useTexts();
  const minuteMs = useMinute();
  const siteless = eventsOf(null, 'ungraded', UNGRADED_MAX);
  const events = useQuery(siteless.key, siteless.load, UNGRADED_EVERY_MS).value;
  if (events === null) return null;
  const count = events.filter(({ atMs }) => atMs > minuteMs - DAY_MS).length;
  return `${count === UNGRADED_MAX ? '≥\u00a0' : ''}${decimal(count, language)}`;
}

/** The last 24 hours in five numbers. */
export function KpiRow() {
  const { t, language } = useTexts();
  const overview = useFleet((state) => state.overview);
  const error = useFleet((state) => state.overviewError);
  const ungraded = useUngraded();
  const isPerPiece = useLive(({ history }) => Object.values(history).every(isOncePerPiece));
  const critical = overview?.criticalAlerts ?? 0;
  const isOut = overview === null && error !== null;
  const show = (value: number | null | undefined, words: (value: number) => string) =>
    value === null || value === undefined ? NO_VALUE : words(value);
  const whole = (value: number) => decimal(value, language);
  return (
    <dl className="kpis" aria-label={t.kpi.label} title={isOut ? `${t.kpi.unavailable} (${error})` : undefined}>
      <Kpi
        id="samples"
        label={isPerPiece ? t.line.pieces : t.kpi.samples}
        value={show(overview?.samples, whole)}
        note={ungraded === null ? '' : ungraded === '0' ? t.line.noUngraded : t.line.ungraded(ungraded)}
        hint={t.line.ungradedHint}
        isOfDay
      />
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
