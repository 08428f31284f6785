import { isDoubt, plainReason, reasonText } from '../domain/wording';
import type { Device, FusionResult } from '../domain/types';
import { age, percent, plusMinus, score, timeOfDay, utc } from '../format';
import { useTexts } from '../i18n';
import { ageMs, STALE_AFTER_MS } from '../live/freshness';
import { useFleet } from '../stores/fleet';
import { useLive, type Arrival, type HistoryEntry } from '../stores/live';
import { GradeBadge } from './GradeBadge';
import { GradeStrip } from './GradeStrip';
import { Heatmap } from './Heatmap';
import { IndexList } from './IndexList';
import { Spectrum } from './Spectrum';
import { useNow } from './useNow';

/** What decided the grade and the two gravest causes; the others are one hover away, so that cards keep their height. */
const REASONS_SHOWN = 3;

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

function Verdict({ device, fusion }: { readonly device: Device; readonly fusion: FusionResult }) {
  const { t, language } = useTexts();
  return (
    <div className="verdict">
      <p className="score">
        <span className="visually-hidden">{t.card.score} </span>
        <span className="score-value">{score(fusion.score.value, language)}</span>
        <span className="score-scale">
          / 100 <span className="uncertainty">{plusMinus(fusion.score, language, 1, 100)}</span>
        </span>
      </p>
      <div className="verdict-grade">
        <GradeBadge grade={fusion.grade} testId={`grade-${device.id}`} />
        {fusion.gradeProbability !== null && (
          <span className="quiet">{t.card.probability(percent(fusion.gradeProbability * 100, language, 0))}</span>
        )}
      </div>
    </div>
  );
}

function Reasons({ fusion }: { readonly fusion: FusionResult }) {
  const { t, language } = useTexts();
  const said = fusion.reasons.map((reason) => reason.code);
  const doubts = [...fusion.reasons.filter(isDoubt), ...fusion.flags.filter((code) => !said.includes(code)).map(plainReason)];
  const words = fusion.reasons.filter((reason) => !isDoubt(reason)).map((reason) => reasonText(reason, t, language));
  return (
    <p className="reasons" title={words.join(t.separator)}>
      {words.length === 0 ? (
        <span className="quiet">{t.reasons.none}</span>
      ) : (
        <>
          <strong>
            {t.grades[fusion.grade]}
            {t.colon}
          </strong>
          {words.slice(0, REASONS_SHOWN).join(t.separator)}
          {words.length > REASONS_SHOWN && <span className="quiet"> {t.card.more(words.length - REASONS_SHOWN)}</span>}
        </>
      )}
      {doubts.length > 0 && (
        <span className="flags">
          {t.card.flags}
          {t.colon}
          {doubts.map((doubt) => reasonText(doubt, t, language)).join(t.separator)}
        </span>
      )}
    </p>
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
      {fusion.lotId !== null && <span>{t.card.lot(String(fusion.lotId))}</span>}
      <time dateTime={new Date(arrival.measuredAtMs).toISOString()} title={utc(arrival.measuredAtMs)}>
        {timeOfDay(arrival.measuredAtMs, language)}
      </time>
    </footer>
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
      {isComplete ? (
        <div className="card-body">
          <Verdict device={device} fusion={fusion} />
          <Reasons fusion={fusion} />
          <Heatmap tof={tof} recent={history} />
          <IndexList tof={tof} spectral={spectral} />
          <Spectrum spectral={spectral} />
          <GradeStrip entries={history} />
          <CardFoot device={device} fusion={fusion} arrival={arrival} />
        </div>
      ) : (
        <Waiting />
      )}
    </article>
  );
}
