/** Lots: quality beside the fattening index, and one lot with its newest pieces. */
import { GradeShares, Moment } from '../../components/Figures';
import { GradeBadge } from '../../components/GradeBadge';
import { Empty, Loaded, Page, Panel } from '../../components/Page';
import { lotOf, lotsOf } from '../../data/calls';
import { useQuery } from '../../data/queries';
import type { Lot, LotDetail } from '../../domain/records';
import { decimal, NO_VALUE, percent, score } from '../../format';
import { useTexts } from '../../i18n';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';
import { Scatter } from './Scatter';

const REFRESH_MS = 30_000;

function LotRow({ lot }: { readonly lot: Lot }) {
  const { t, language } = useTexts();
  return (
    <tr>
      <th scope="row">
        <Link to={pathOf('lots', String(lot.id))} testId={`lot-${lot.id}`}>
          {lot.code ?? t.lots.unnamed(lot.id)}
        </Link>
      </th>
      <td data-label={t.sites.site}>{lot.siteCode ?? NO_VALUE}</td>
      <td data-label={t.lots.itm}>{lot.itm === null ? NO_VALUE : decimal(lot.itm, language, 2)}</td>
      <td data-label={t.sites.score}>
        {score(lot.averageScore, language)} <span className="quiet">/ 100</span>
      </td>
      <td data-label={t.sites.compliance}>{percent(lot.compliancePct, language)}</td>
      <td data-label={t.lots.majority}>{t.grades[lot.majority]}</td>
      <td data-label={t.sites.measurements}>{decimal(lot.samples, language)}</td>
      <td data-label={t.lots.last}>
        <Moment ms={lot.lastMs} />
      </td>
    </tr>
  );
}

function AllLots({ lots }: { readonly lots: readonly Lot[] }) {
  const { t } = useTexts();
  if (lots.length === 0) return <Empty>{t.lots.none}</Empty>;
  const heads = [t.sites.site, t.lots.itm, t.sites.score, t.sites.compliance, t.lots.majority, t.sites.measurements, t.lots.last];
  return (
    <>
      <Panel title={t.lots.title}>
        <table className="table" data-testid="lot-table">
          <thead>
            <tr>
              <th scope="col">{t.lots.lot}</th>
              {heads.map((head) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {lots.map((lot) => (
              <LotRow key={lot.id} lot={lot} />
            ))}
          </tbody>
        </table>
      </Panel>
      <Panel title={t.lots.scatter}>
        <Scatter lots={lots} />
      </Panel>
    </>
  );
}

function Summary({ lot }: { readonly lot: LotDetail }) {
  const { t, language } = useTexts();
  const figures = [
    [t.sites.measurements, decimal(lot.samples, language)],
    [t.sites.score, lot.averageScore === null ? NO_VALUE : `${score(lot.averageScore, language)} / 100`],
    [t.sites.compliance, lot.compliancePct === null ? NO_VALUE : percent(lot.compliancePct, language)],
    [t.lots.itm, lot.itm === null ? NO_VALUE : decimal(lot.itm, language, 2)],
  ] as const;
  return (
    <dl className="kpis">
      {figures.map(([label, value]) => (
        <div key={label} className="kpi">
          <dt>{label}</dt>
          <dd>
            <span className="kpi-value">{value}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Pieces({ lot }: { readonly lot: LotDetail }) {
  const { t, language } = useTexts();
  if (lot.newest.length === 0) return <Empty>{t.query.empty}</Empty>;
  return (
    <ul className="piece-list">
      {lot.newest.map(({ fusion }) => (
        <li key={fusion.sampleId}>
          <GradeBadge grade={fusion.grade} testId="piece-grade" />
          <span>{score(fusion.score.value, language)} / 100</span>
          {fusion.measuredAtMs !== null && <Moment ms={fusion.measuredAtMs} />}
          <Link to={pathOf('sample', fusion.sampleId)}>{t.lots.see}</Link>
        </li>
      ))}
    </ul>
  );
}

function OneLot({ lotId }: { readonly lotId: string }) {
  const { t } = useTexts();
  const { key, load } = lotOf(lotId);
  const query = useQuery(key, load, REFRESH_MS);
  const title = query.value?.code ?? `${t.lots.lot} ${lotId}`;
  return (
    <Page title={title} back={{ to: pathOf('lots'), label: t.lots.back }}>
      <Loaded query={query}>
        {(lot) => (
          <>
            <Summary lot={lot} />
            <Panel title={t.lots.grade}>
              <GradeShares grades={lot.grades} />
            </Panel>
            <Panel title={t.lots.samples}>
              <Pieces lot={lot} />
            </Panel>
          </>
        )}
      </Loaded>
    </Page>
  );
}

function LotList() {
  const { t } = useTexts();
  const { key, load } = lotsOf();
  const query = useQuery(key, load, REFRESH_MS);
  return (
    <Page title={t.lots.title}>
      <Loaded query={query}>{(lots) => <AllLots lots={lots} />}</Loaded>
    </Page>
  );
}

export default function LotsPage({ lotId }: { readonly lotId: string | null }) {
  return lotId === null ? <LotList /> : <OneLot lotId={lotId} />;
}
