/** One stored piece as it was seen: where an alert or a lot points to. */
import { Loaded, Page } from '../../components/Page';
import { storedSample } from '../../data/calls';
import { useQuery } from '../../data/queries';
import { useTexts } from '../../i18n';
import Piece from '../../inspect/Piece';
import { pathOf } from '../../router/route';

export default function SamplePage({ sampleId }: { readonly sampleId: string }) {
  const { t } = useTexts();
  const { key, load } = storedSample(sampleId);
  const query = useQuery(key, load);
  return (
    <Page title={t.inspect.stored} back={{ to: pathOf('alerts'), label: t.nav.alerts }}>
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
