/** Lots: quality beside the fattening index. */
import { Moment } from '../../components/Figures';
import { Empty, Loaded, Page, Panel } from '../../components/Page';
import { lotsOf } from '../../data/calls';
import { useQuery } from '../../data/queries';
import type { Lot } from '../../domain/records';
import { decimal, NO_VALUE, percent, score } from '../../format';
import { useTexts } from '../../i18n';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';
import { CertificatePage } from './CertificatePage';
import { LotPage } from './LotPage';
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

const CERTIFICATE = '/certificate';

export default function LotsPage({ lotId }: { readonly lotId: string | null }) {
  if (lotId === null) return <LotList />;
  if (lotId.endsWith(CERTIFICATE)) return <CertificatePage lotId={lotId.slice(0, -CERTIFICATE.length)} />;
  return <LotPage lotId={lotId} />;
}
