import { useTexts } from '../i18n';
import { usePreferences } from '../stores/preferences';
import { useDevices } from './useShown';

interface SelectProps {
  readonly label: string;
  readonly every: string;
  readonly testId: string;
  readonly value: string | null;
  readonly options: readonly string[];
  readonly onChange: (value: string | null) => void;
}

function Select({ label, every, testId, value, options, onChange }: SelectProps) {
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
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}

export function FilterBar() {
  const { t } = useTexts();
  const { siteCode, deviceId, setSite, setDevice } = usePreferences();
  const devices = useDevices();
  const sites = [...new Set(devices.flatMap((device) => device.siteCode ?? []))];
  const ofSite = devices.filter((device) => siteCode === null || device.siteCode === siteCode).map((device) => device.id);
  return (
    <form className="filters" role="search" aria-label={t.filters.label}>
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
    </form>
  );
}
