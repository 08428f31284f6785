import type { Grade } from '../domain/types';
import { useTexts } from '../i18n';

/** Class names can't hold a plus. */
export const gradeClass = (grade: Grade): string => `grade-${grade === 'A+' ? 'aplus' : grade.toLowerCase()}`;

/** The grade as a word on its colour: the colour helps, the word decides. */
export function GradeBadge({ grade, testId }: { readonly grade: Grade; readonly testId: string }) {
  const { t } = useTexts();
  return (
    <span className={`grade-badge ${gradeClass(grade)}`} data-testid={testId} data-grade={grade}>
      <span className="visually-hidden">{t.card.grade} </span>
      {t.grades[grade]}
    </span>
  );
}
