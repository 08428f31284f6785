/** The line as it is now: every device side by side, and what needs attention. */
import { AlertsPanel } from '../../components/AlertsPanel';
import { DeviceCard } from '../../components/DeviceCard';
import { FilterBar } from '../../components/FilterBar';
import { InspectDialog } from '../../components/InspectDialog';
import { KpiRow } from '../../components/KpiRow';
import { CriticalNotice, ErrorNotice, LinksNotice, OfflineNotice } from '../../components/Notices';
import { useShownDevices } from '../../components/useShown';
import { useTexts } from '../../i18n';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';
import { useFleet } from '../../stores/fleet';
import { usePreferences } from '../../stores/preferences';

/** So few cards leave room for the alerts beside them, even on a desk. */
const FEW = 2;

function NoCards() {
  const { t } = useTexts();
  const isLoaded = useFleet((state) => state.isLoaded);
  const error = useFleet((state) => state.devicesError);
  const setSite = usePreferences((state) => state.setSite);
  const lotId = usePreferences((state) => state.lotId);
  if (!isLoaded) {
    return (
      <div className="card empty-page">
        <p>{error === null ? t.states.loading : t.states.errorTitle}</p>
      </div>
    );
  }
  return (
    <div className="card empty-page">
      <h3>{lotId === null ? t.states.noDevicesTitle : t.line.noLotTitle}</h3>
      <p className="quiet">{lotId === null ? t.states.noDevicesBody : t.line.noLotBody}</p>
      {lotId !== null && <Link to={pathOf('lots', lotId)}>{t.line.seeLot}</Link>}
      <button
        type="button"
        className="button"
        onClick={() => {
          setSite(null);
        }}
      >
        {t.states.clearFilters}
      </button>
    </div>
  );
}

export interface LivePageProps {
  readonly onReconnect: () => void;
  readonly onRetry: () => void;
}

export function LivePage({ onReconnect, onRetry }: LivePageProps) {
  const { t } = useTexts();
  const devices = useShownDevices();
  return (
    <main id="main" tabIndex={-1}>
      <div className="overview">
        <KpiRow />
        <FilterBar hasLots />
      </div>
      <OfflineNotice onRetry={onReconnect} />
      <LinksNotice />
      <ErrorNotice onRetry={onRetry} />
      <CriticalNotice />
      <div className={devices.length <= FEW ? 'live-layout has-few' : 'live-layout'}>
        <section aria-labelledby="devices-title">
          <h2 id="devices-title" className="visually-hidden">
            {t.card.section}
          </h2>
          <div className="cards">
            {devices.length === 0 ? <NoCards /> : devices.map((device) => <DeviceCard key={device.id} device={device} />)}
          </div>
        </section>
        <AlertsPanel />
      </div>
      <InspectDialog />
    </main>
  );
}
