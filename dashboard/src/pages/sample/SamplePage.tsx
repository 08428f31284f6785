/** One stored piece as it was seen: where an alert or a lot points to. */
import { Loaded, Page } from '../../components/Page';
import { lotOf, storedSample } from '../../data/calls';
import { useQuery } from '../../data/queries';
import { useTexts } from '../../i18n';
import Piece from '../../inspect/Piece';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';

/** A piece belongs to a lot: the way on to its decisions and its certificate. */
function ToLot({ lotId }: { readonly lotId: string }) {
  const { t } = useTexts();
  const { key, load } = lotOf(lotId);
  const code = useQuery(key, load).value?.code ?? lotId;
  return (
    <div className="actions">
      <Link to={pathOf('lots', lotId)} className="button is-main" testId="to-lot">
        {t.lotPage.toLot(code)}
      </Link>
    </div>
  );
}

export default function SamplePage({ sampleId }: { readonly sampleId: string }) {
  const { t } = useTexts();
  const { key, load } = storedSample(sampleId);
  const query = useQuery(key, load);
  const lotId = query.value?.fusion.lotId ?? null;
  const controls = lotId === null ? {} : { controls: <ToLot lotId={String(lotId)} /> };
  return (
    <Page title={t.inspect.stored} back={{ to: pathOf('alerts'), label: t.nav.alerts }} {...controls}>
      <Loaded query={query}>
        {(sample) => (
          <div className="card panel">
            <Piece sample={sample} recent={[]} />
          </div>
        )}
      </Loaded>
    </Page>
  );
}
