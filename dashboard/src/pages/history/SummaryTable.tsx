import { decimal, NO_VALUE } from '../../format';
import { useTexts } from '../../i18n';
import { summary, type Series } from './series';

/** Each series in five numbers, in the unit of the chart. */
export function SummaryTable({ series }: { readonly series: readonly Series[] }) {
  const { t, language } = useTexts();
  const words = t.history;
  const heads = [words.count, words.mean, words.deviation, words.low, words.high];
  return (
    <table className="table" aria-label={words.stats} data-testid="summary">
      <thead>
        <tr>
          <th scope="col">{words.series}</th>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {series.map(({ name, points }) => {
          const told = summary(points);
          const cells =
            told === null
              ? heads.map(() => NO_VALUE)
              : [decimal(told.count, language), ...[told.mean, told.deviation, told.low, told.high].map((value) => (value === null ? NO_VALUE : decimal(value, language, 2)))];
          return (
            <tr key={name}>
              <th scope="row">{name}</th>
              {cells.map((cell, at) => (
                <td key={heads[at]} data-label={heads[at]}>
                  {cell}
                </td>
              ))}
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
