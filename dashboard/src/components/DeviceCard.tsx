import type { Device, FusionResult } from '../domain/types';
import { alertWords } from '../domain/wording';
import { age, timeOfDay, utc } from '../format';
import { useTexts } from '../i18n';
import { ageMs, STALE_AFTER_MS } from '../live/freshness';
import { currentTrouble, useAlerts } from '../stores/alerts';
import { useFleet } from '../stores/fleet';
import { usePreferences } from '../stores/preferences';
import { Link } from '../router/Link';
import { pathOf } from '../router/route';
import { useLive, type Arrival, type HistoryEntry } from '../stores/live';
import { ChallengeButton } from './ChallengeButton';
import { ColourPatch } from './ColourPatch';
import { GradeStrip } from './GradeStrip';
import { Heatmap } from './Heatmap';
import { IndexList } from './IndexList';
import { Spectrum } from './Spectrum';
import { useNow } from './useNow';
import { useRecipe } from './useRecipe';
import { Reasons, Verdict } from './Verdict';

const NO_HISTORY: readonly HistoryEntry[] = [];

function DataAge({ arrival }: { readonly arrival: Arrival }) {
  const { t, language } = useTexts();
  const old = ageMs(arrival, useNow());
  const isStale = old > STALE_AFTER_MS;
  const words = isStale ? t.card.stale(age(old, language)) : t.card.age(age(old, language));
  return (
    <span className={isStale ? 'data-age is-stale' : 'data-age'} data-testid="data-age">
      {words}
    </span>
  );
}

function Waiting() {
  const { t } = useTexts();
  return (
    <div className="card-waiting">
      <div className="waiting-grid" aria-hidden="true" />
      <p>
        <strong>{t.card.waitingTitle}</strong>
      </p>
      <p className="quiet">{t.card.waitingBody}</p>
    </div>
  );
}

function CardFoot({ device, fusion, arrival }: { readonly device: Device; readonly fusion: FusionResult; readonly arrival: Arrival }) {
  const { t, language } = useTexts();
  return (
    <footer className="card-foot">
      <span className="sample-id" title={fusion.sampleId}>
        {t.card.sample} <span data-testid={`sample-id-${device.id}`}>{fusion.sampleId}</span>
      </span>
      {fusion.lotId !== null && <Link to={pathOf('lots', String(fusion.lotId))}>{t.card.lot(String(fusion.lotId))}</Link>}
      <time dateTime={new Date(arrival.measuredAtMs).toISOString()} title={utc(arrival.measuredAtMs)}>
        {timeOfDay(arrival.measuredAtMs, language)}
      </time>
      <ChallengeButton device={device} />
    </footer>
  );
}

/** A sensor that fails now, as the alert tells it that is not over; whether somebody acknowledged it doesn't mend it. */
function SensorTrouble({ deviceId }: { readonly deviceId: string }) {
  const { t, language } = useTexts();
  const trouble = useAlerts(({ alerts }) => currentTrouble(alerts, deviceId));
  if (trouble === undefined) return null;
  const { title, detail } = alertWords(trouble, t, language);
  return (
    <p className={`card-trouble severity-${trouble.severity}`} data-testid={`trouble-${deviceId}`}>
      <strong>
        {title}
        {t.colon}
      </strong>
      {detail}
    </p>
  );
}

/** One device: its newest whole sample and its last grades. */
export function DeviceCard({ device }: { readonly device: Device }) {
  const { t } = useTexts();
  const tof = useLive((state) => state.latestVL53L8CH[device.id]);
  const spectral = useLive((state) => state.latestAS7341[device.id]);
  const fusion = useLive((state) => state.latestFusion[device.id]);
  const arrival = useLive((state) => state.arrivals[device.id]);
  const history = useLive((state) => state.history[device.id]) ?? NO_HISTORY;
  const state = useFleet((fleet) => fleet.deviceStates[device.id]);
  const recipe = useRecipe(fusion?.recipe ?? null);
  const lotId = usePreferences((state) => state.lotId);
  const ofLot = lotId === null ? history : history.filter(({ sample }) => String(sample.fusion.lotId) === lotId);
  const heading = `device-${device.id}`;
  const isComplete = tof !== undefined && spectral !== undefined && fusion !== undefined && arrival !== undefined;
  return (
    <article className="card device-card" aria-labelledby={heading} data-testid={`device-card-${device.id}`}>
      <header className="card-head">
        <div>
          <h3 id={heading}>{device.id}</h3>
          <p className="quiet">{device.name ?? (device.siteCode === null ? '' : t.card.site(device.siteCode))}</p>
        </div>
        {state === 'stopped' || state === 'lost' ? (
          <span className="data-age is-stale">{t.card.states[state]}</span>
        ) : (
          arrival !== undefined && <DataAge arrival={arrival} />
        )}
      </header>
      <SensorTrouble deviceId={device.id} />
      {isComplete ? (
        <div className="card-body">
          <Verdict testId={`grade-${device.id}`} fusion={fusion} />
          <Reasons fusion={fusion} />
          <Heatmap tof={tof} recent={history} />
          <IndexList tof={tof} spectral={spectral} />
          <Spectrum spectral={spectral} recipe={recipe} />
          <ColourPatch spectral={spectral} />
          <GradeStrip deviceId={device.id} entries={ofLot} />
          <CardFoot device={device} fusion={fusion} arrival={arrival} />
        </div>
      ) : (
        <Waiting />
      )}
    </article>
  );
}
