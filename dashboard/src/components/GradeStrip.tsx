import { GRADES } from '../domain/types';
import { score, timeOfDay } from '../format';
import { useTexts } from '../i18n';
import { HISTORY_MAX, type HistoryEntry } from '../stores/live';
import { gradeClass } from './GradeBadge';

/** The last grades as bars: taller is better, so that the strip reads without colour. */
export function GradeStrip({ entries }: { readonly entries: readonly HistoryEntry[] }) {
  const { t, language } = useTexts();
  const counts = GRADES.map((grade) => ({ grade, count: entries.filter((entry) => entry.grade === grade).length }));
  const spoken = counts.filter(({ count }) => count > 0).map(({ grade, count }) => `${t.grades[grade]} ${count}`);
  const label = t.card.recent(String(entries.length));
  return (
    <figure className="strip">
      <figcaption>{label}</figcaption>
      <div className="strip-bars" role="img" aria-label={`${label}${t.colon}${spoken.join(', ')}`} style={{ '--slots': HISTORY_MAX }}>
        {entries.map((entry) => (
          <span
            key={entry.sampleId}
            className={`strip-bar ${gradeClass(entry.grade)}`}
            title={`${timeOfDay(entry.measuredAtMs, language)} · ${t.grades[entry.grade]} · ${score(entry.score, language)}`}
          />
        ))}
      </div>
    </figure>
  );
}
