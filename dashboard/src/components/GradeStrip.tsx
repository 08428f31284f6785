import { GRADES } from '../domain/types';
import { decimal, score, timeOfDay } from '../format';
import { useTexts } from '../i18n';
import { HISTORY_MAX, type HistoryEntry } from '../stores/live';
import { useInspect } from '../stores/inspect';
import { gradeClass } from './GradeBadge';

const MINUTE_MS = 60_000;

/** Measurements a minute over the strip; null for too few to tell. */
export function ratePerMinute(entries: readonly Pick<HistoryEntry, 'measuredAtMs'>[]): number | null {
  const spanMs = (entries.at(-1)?.measuredAtMs ?? 0) - (entries[0]?.measuredAtMs ?? 0);
  return entries.length < 3 || spanMs <= 0 ? null : ((entries.length - 1) / spanMs) * MINUTE_MS;
}

/** The last grades as bars: taller is better, so that the strip reads without colour. Each opens its piece. */
export function GradeStrip({ deviceId, entries }: { readonly deviceId: string; readonly entries: readonly HistoryEntry[] }) {
  const freeze = useInspect((state) => state.freeze);
  const { t, language } = useTexts();
  const counts = GRADES.map((grade) => ({ grade, count: entries.filter((entry) => entry.grade === grade).length }));
  const spoken = counts.filter(({ count }) => count > 0).map(({ grade, count }) => `${t.grades[grade]} ${count}`);
  const label = t.card.recent(String(entries.length));
  const perMinute = ratePerMinute(entries);
  return (
    <figure className="strip">
      <figcaption>
        {label}
        {perMinute !== null && ` · ${t.live.rate(decimal(perMinute, language, perMinute < 10 ? 1 : 0))}`}
      </figcaption>
      <div className="strip-bars" role="group" aria-label={`${label}${t.colon}${spoken.join(', ')}`} style={{ '--slots': HISTORY_MAX }}>
        {entries.map((entry, at) => {
          const words = `${timeOfDay(entry.measuredAtMs, language)} · ${t.grades[entry.grade]} · ${score(entry.score, language)}`;
          return (
            <button
              key={entry.sampleId}
              type="button"
              className="strip-slot"
              // One stop for the keyboard; the pieces before it are reached inside.
              tabIndex={at === entries.length - 1 ? 0 : -1}
              aria-label={t.inspect.open(words)}
              title={words}
              data-testid="strip-piece"
              data-sample={entry.sampleId}
              onClick={() => {
                freeze(deviceId, entries, entry.sampleId);
              }}
            >
              <span className={`strip-bar ${gradeClass(entry.grade)}`} />
            </button>
          );
        })}
      </div>
    </figure>
  );
}
