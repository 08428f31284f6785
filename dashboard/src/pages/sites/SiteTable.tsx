import type { Tally } from '../../domain/tally';
import { decimal, index, NO_VALUE, percent, score, volumeCm3 } from '../../format';
import { useTexts } from '../../i18n';
import { Link } from '../../router/Link';

export interface SiteRow {
  readonly key: string;
  readonly tally: Tally;
  readonly compliancePct: number | null;
}

interface SiteTableProps {
  /** The weakest first. */
  readonly rows: readonly SiteRow[];
  readonly label: string;
  readonly linkOf?: (key: string) => string;
  /** Says which row is the weakest, in words. */
  readonly isRanked?: boolean;
}

const shown = (value: number | null, words: (value: number) => string): string => (value === null ? NO_VALUE : words(value));

function Cells({ row: { tally, compliancePct } }: { readonly row: SiteRow }) {
  const { t, language } = useTexts();
  return (
    <>
      <td data-label={t.sites.compliance}>{shown(compliancePct, (value) => percent(value, language))}</td>
      <td data-label={t.sites.score}>
        {shown(tally.averageScore, (value) => score(value, language))} <span className="quiet">/ 100</span>
      </td>
      <td data-label={t.sites.measurements}>{decimal(tally.samples, language)}</td>
      <td data-label={t.sites.rejects}>{decimal(tally.grades.REJECT, language)}</td>
      <td data-label={t.sites.freshness}>{shown(tally.freshness, (value) => index(value, language))}</td>
      <td data-label={t.sites.volume}>{shown(tally.volumeMm3, (value) => volumeCm3(value, language))}</td>
    </>
  );
}

/** One row a site or device, the weakest first. */
export function SiteTable({ rows, label, linkOf, isRanked = false }: SiteTableProps) {
  const { t } = useTexts();
  if (rows.length === 0) return <p className="empty">{t.query.empty}</p>;
  const heads = [t.sites.compliance, t.sites.score, t.sites.measurements, t.sites.rejects, t.sites.freshness, t.sites.volume];
  return (
    <table className="table" data-testid="site-table">
      <thead>
        <tr>
          <th scope="col">{label}</th>
          {heads.map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, at) => (
          <tr key={row.key} data-testid={`site-row-${row.key}`}>
            <th scope="row">
              {linkOf === undefined ? row.key : <Link to={linkOf(row.key)}>{row.key}</Link>}
              {isRanked && at === 0 && rows.length > 1 && <span className="tag">{t.sites.worst}</span>}
            </th>
            <Cells row={row} />
          </tr>
        ))}
      </tbody>
    </table>
  );
}
