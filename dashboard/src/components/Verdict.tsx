import { isDoubt, plainReason, reasonText } from '../domain/wording';
import type { FusionResult, Grade } from '../domain/types';
import { percent, plusMinus, score } from '../format';
import { useTexts } from '../i18n';
import { GradeBadge } from './GradeBadge';

/** What decided the grade and the two gravest causes; the others are one hover away, so that cards keep their height. */
const REASONS_SHOWN = 3;

/** Grades that ask for a hand. */
const hasAdvice = (grade: Grade): grade is 'C' | 'REJECT' => grade === 'C' || grade === 'REJECT';

/** Score and grade, with how sure they are. */
export function Verdict({ testId, fusion }: { readonly testId: string; readonly fusion: FusionResult }) {
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
        <GradeBadge grade={fusion.grade} testId={testId} />
        {fusion.gradeProbability !== null && (
          <span className="quiet">{t.card.probability(percent(fusion.gradeProbability * 100, language, 0))}</span>
        )}
      </div>
    </div>
  );
}

/** Why the grade was given, what to do, and what made the measurement less certain. */
export function Reasons({ fusion, shownMax = REASONS_SHOWN }: { readonly fusion: FusionResult; readonly shownMax?: number }) {
  const { t, language } = useTexts();
  const said = fusion.reasons.map((reason) => reason.code);
  const doubts = [...fusion.reasons.filter(isDoubt), ...fusion.flags.filter((code) => !said.includes(code)).map(plainReason)];
  const advice = hasAdvice(fusion.grade) ? t.live.advice[fusion.grade] : null;
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
          {words.slice(0, shownMax).join(t.separator)}
          {words.length > shownMax && <span className="quiet"> {t.card.more(words.length - shownMax)}</span>}
        </>
      )}
      {advice !== null && <strong className="advice">{advice}</strong>}
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
