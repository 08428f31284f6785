/** The certificate of a lot: issued and sealed when it is opened, to be handed over as PDF, page or data. */
import { call, type Answer } from '../../api';
import { Do } from '../../components/Act';
import { Loaded, Page, Panel } from '../../components/Page';
import { document, download, useAction } from '../../data/actions';
import { useQuery } from '../../data/queries';
import { certificateOf, ledgerVerdict, withInstants, type Certificate } from '../../domain/lot-records';
import { dateTime, utc } from '../../format';
import { useTexts } from '../../i18n';
import { pathOf } from '../../router/route';

async function issued(path: string): Promise<Answer<Certificate>> {
  return { value: certificateOf(await document(path)), serverTimeMs: null };
}

function Verdict() {
  const { t } = useTexts();
  const query = useQuery('ledger verdict', () => call('/api/blockchain/verify', ledgerVerdict));
  if (query.value === null) return null;
  const { isValid } = query.value;
  return <p className={isValid ? 'done' : 'row-error'}>{isValid ? t.lotPage.valid : t.lotPage.invalid}</p>;
}

/** A fact of the certificate, its times at the site; in UTC, as they are sealed, one hover away. */
function Fact({ sentence }: { readonly sentence: string }) {
  const { language } = useTexts();
  return withInstants(sentence).map((part) =>
    typeof part === 'string' ? (
      part
    ) : (
      <time key={part} dateTime={new Date(part).toISOString()} title={utc(part)}>
        {dateTime(part, language)}
      </time>
    ),
  );
}

function Sheet({ certificate }: { readonly certificate: Certificate }) {
  const { t } = useTexts();
  return (
    <section className="card panel certificate" data-testid="certificate">
      <h3>{certificate.title}</h3>
      <div className="certificate-body">
        <dl className="facts">
          {certificate.facts.map(([term, value]) => (
            <div key={term}>
              <dt>{term}</dt>
              <dd>
                <Fact sentence={value} />
              </dd>
            </div>
          ))}
        </dl>
        {certificate.code !== null && (
          <figure className="certificate-code">
            <img src={certificate.code} alt={t.lotPage.codeLabel} data-testid="qr" />
            <figcaption>{t.lotPage.codeHelp}</figcaption>
          </figure>
        )}
      </div>
      {certificate.notes.map((note) => (
        <p key={note} className="quiet">
          {note}
        </p>
      ))}
    </section>
  );
}

export function CertificatePage({ lotId }: { readonly lotId: string }) {
  const { t, language } = useTexts();
  const path = (format: string) => `/api/gaveurs/lots/${encodeURIComponent(lotId)}/certificat?format=${format}&lang=${language}`;
  const query = useQuery(path('html'), () => issued(path('html')));
  const pdf = useAction();
  const data = useAction();
  const name = `certificate-lot-${lotId}`;
  return (
    <Page title={t.lotPage.certificateOf(lotId)} back={{ to: pathOf('lots', lotId), label: t.lotPage.backToLot }}>
      <Panel title={t.lotPage.handOver}>
        <p>{t.lotPage.handOverHelp}</p>
        <div className="actions">
          <Do action={pdf} work={() => download(path('pdf'), `${name}.pdf`)} testId="certificate-pdf" done={t.lotPage.saved} isMain>
            {t.lotPage.pdf}
          </Do>
          <a className="button" href={path('html')} target="_blank" rel="noreferrer">
            {t.lotPage.printable}
          </a>
          <Do action={data} work={() => download(path('json'), `${name}.json`)} done={t.lotPage.saved}>
            {t.lotPage.data}
          </Do>
          <a className="button" href="/verify" target="_blank" rel="noreferrer">
            {t.lotPage.verify}
          </a>
        </div>
        <Verdict />
      </Panel>
      {query.value === null && query.error === null && <p className="quiet">{t.lotPage.sealing}</p>}
      <Loaded query={query}>{(certificate) => <Sheet certificate={certificate} />}</Loaded>
    </Page>
  );
}
