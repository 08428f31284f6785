import { lotsOf } from '../data/calls';
import { useQuery } from '../data/queries';
import { useTexts } from '../i18n';
import { useLive } from '../stores/live';
import { usePreferences } from '../stores/preferences';
import { useDevices } from './useShown';

const LOTS_EVERY_MS = 60_000;

interface SelectProps {
  readonly label: string;
  readonly every: string;
  readonly testId: string;
  readonly value: string | null;
  readonly options: readonly string[];
  readonly nameOf?: (option: string) => string;
  readonly onChange: (value: string | null) => void;
}

function Select({ label, every, testId, value, options, nameOf = (option) => option, onChange }: SelectProps) {
  // A filter from the address may name what the registry doesn't know (yet): it stays visible and can be undone.
  const all = value === null || options.includes(value) ? options : [...options, value];
  return (
    <label className="select">
      <span>{label}</span>
      <select
        data-testid={testId}
        value={value ?? ''}
        onChange={(event) => {
          onChange(event.target.value === '' ? null : event.target.value);
        }}
      >
        <option value="">{every}</option>
        {all.map((option) => (
          <option key={option} value={option}>
            {nameOf(option)}
          </option>
        ))}
      </select>
    </label>
  );
}

/** The lots that are on the line now. */
function LotSelect() {
  const { t } = useTexts();
  const lotId = usePreferences((state) => state.lotId);
  const setLot = usePreferences((state) => state.setLot);
  const running = useLive(({ latestFusion }) =>
    [...new Set(Object.values(latestFusion).flatMap((fusion) => fusion.lotId ?? []))].sort((a, b) => a - b).join('\n'),
  );
  const { key, load } = lotsOf();
  const codes = new Map(useQuery(key, load, LOTS_EVERY_MS).value?.map((lot) => [String(lot.id), lot.code]));
  return (
    <Select
      label={t.line.lot}
      every={t.line.allLots}
      testId="lot-filter"
      value={lotId}
      options={running === '' ? [] : running.split('\n')}
      nameOf={(id) => codes.get(id) ?? t.card.lot(id)}
      onChange={setLot}
    />
  );
}

export function FilterBar({ hasLots = false }: { readonly hasLots?: boolean }) {
  const { t } = useTexts();
  const { siteCode, deviceId, setSite, setDevice } = usePreferences();
  const devices = useDevices();
  const sites = [...new Set(devices.flatMap((device) => device.siteCode ?? []))];
  const ofSite = devices.filter((device) => siteCode === null || device.siteCode === siteCode).map((device) => device.id);
  return (
    <form className={hasLots ? 'filters has-lots' : 'filters'} role="search" aria-label={t.filters.label}>
      <Select
        label={t.filters.site}
        every={t.filters.allSites}
        testId="site-filter"
        value={siteCode}
        options={sites}
        onChange={setSite}
      />
      <Select
        label={t.filters.device}
        every={t.filters.allDevices}
        testId="device-filter"
        value={deviceId}
        options={ofSite}
        onChange={setDevice}
      />
      {hasLots && <LotSelect />}
    </form>
  );
}
