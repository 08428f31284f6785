/** The fleet, and one device with its last day, what happened to it and what it lost. */
import { GradeShares, Moment, Trend } from '../../components/Figures';
import { Empty, Loaded, Page, Panel } from '../../components/Page';
import { useMinute } from '../../components/useNow';
import { call, within } from '../../api';
import { deviceRecords, eventsOf, gapsOf, recentHours } from '../../data/calls';
import { useQuery } from '../../data/queries';
import { said as readSaid, type Said } from '../../domain/device-records';
import type { DeviceRecord, EventRecord, GapRecord } from '../../domain/records';
import { listOf } from '../../domain/shape';
import { hourlyScores, tally } from '../../domain/tally';
import { eventWords } from '../../domain/wording';
import { decimal, NO_VALUE } from '../../format';
import { useTexts } from '../../i18n';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';
import { useFleet } from '../../stores/fleet';
import { useLive } from '../../stores/live';
import { Commands, Stage } from './Commands';
import { DeviceFacts } from './DeviceFacts';
import { TwinPanel } from './TwinPanel';
import { Calibrations } from './Wizard';

const DAY_MS = 86_400_000;
const REFRESH_MS = 10_000;
const ROWS_MAX = 50;

/** What a device last said of itself; one that sends is there. */
function useStateWords(deviceId: string): { readonly words: string; readonly isGone: boolean } {
  const { t } = useTexts();
  const said = useFleet((fleet) => fleet.deviceStates[deviceId]);
  const isSending = useLive((live) => live.arrivals[deviceId] !== undefined);
  const state = said ?? (isSending ? 'online' : 'unknown');
  return { words: t.devices.states[state], isGone: state === 'stopped' || state === 'lost' };
}

/** A device of the registry with what it said of itself, which is newer. */
function joined(device: DeviceRecord, said: Said | undefined): DeviceRecord {
  if (said === undefined) return device;
  return {
    ...device,
    spoolRows: said.spoolRows ?? device.spoolRows,
    clock: said.clock ?? device.clock,
    agent: said.agent ?? device.agent,
    lastSeenMs: Math.max(said.heardAtMs, device.lastSeenMs ?? 0),
  };
}

const fleetSaid = { key: 'fleet', load: () => call('/api/sqal/fleet', within('devices', listOf(readSaid))) };

/** Columns that the server can't fill (yet) are left out: a row of dashes tells nothing. */
interface Told {
  readonly spool: boolean;
  readonly clock: boolean;
  readonly agent: boolean;
}

const toldBy = (devices: readonly DeviceRecord[]): Told => ({
  spool: devices.some(({ spoolRows }) => spoolRows !== null),
  clock: devices.some(({ clock }) => clock !== null),
  agent: devices.some(({ agent }) => agent !== null),
});

function DeviceRow({ device, told }: { readonly device: DeviceRecord; readonly told: Told }) {
  const { t, language } = useTexts();
  const { words, isGone } = useStateWords(device.id);
  const { clock } = device;
  const clockWords = clock === 'synced' || clock === 'unset' ? t.devices.clocks[clock] : (clock ?? NO_VALUE);
  return (
    <tr data-testid={`device-row-${device.id}`}>
      <th scope="row">
        <Link to={pathOf('devices', device.id)}>{device.id}</Link>
        <span className="quiet block">{device.name}</span>
      </th>
      <td data-label={t.devices.site}>{[device.siteCode, device.line].filter((part) => part !== null).join(' · ')}</td>
      <td data-label={t.devices.state}>
        <span className={isGone ? 'state is-gone' : 'state'}>{words}</span>
      </td>
      <td data-label={t.devices.lastSeen}>{device.lastSeenMs === null ? NO_VALUE : <Moment ms={device.lastSeenMs} />}</td>
      {told.spool && (
        <td data-label={t.devices.spool}>
          {device.spoolRows === null ? NO_VALUE : t.devices.rows(decimal(device.spoolRows, language))}
        </td>
      )}
      {told.clock && <td data-label={t.devices.clock}>{clockWords}</td>}
      <td data-label={t.devices.firmware}>{device.firmware ?? NO_VALUE}</td>
      {told.agent && <td data-label={t.devices.agent}>{device.agent ?? NO_VALUE}</td>}
    </tr>
  );
}

function Fleet({ devices }: { readonly devices: readonly DeviceRecord[] }) {
  const { t } = useTexts();
  const words = t.devices;
  if (devices.length === 0) return <Empty>{t.states.noDevicesBody}</Empty>;
  const told = toldBy(devices);
  const heads = [
    words.site,
    words.state,
    words.lastSeen,
    ...(told.spool ? [words.spool] : []),
    ...(told.clock ? [words.clock] : []),
    words.firmware,
    ...(told.agent ? [words.agent] : []),
  ];
  return (
    <Panel title={words.title}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{words.device}</th>
            {heads.map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {devices.map((device) => (
            <DeviceRow key={device.id} device={device} told={told} />
          ))}
        </tbody>
      </table>
    </Panel>
  );
}

function EventText({ event }: { readonly event: EventRecord }) {
  const { t, language } = useTexts();
  const { title, detail, advice } = eventWords(event, t, language);
  return (
    <span data-testid={`event-${event.kind}`}>
      {title}
      {detail !== null && `${t.colon}${detail}`}
      {advice !== null && <span className="quiet block">{advice}</span>}
    </span>
  );
}

function Events({ events }: { readonly events: readonly EventRecord[] }) {
  const { t } = useTexts();
  if (events.length === 0) return <Empty>{t.devices.noEvents}</Empty>;
  return (
    <ul className="record-list">
      {events.map((event) => (
        <li key={event.id}>
          <Moment ms={event.atMs} />
          <Link to={pathOf('devices', event.deviceId)}>{event.deviceId}</Link>
          <EventText event={event} />
        </li>
      ))}
    </ul>
  );
}

function Gaps({ gaps }: { readonly gaps: readonly GapRecord[] }) {
  const { t, language } = useTexts();
  if (gaps.length === 0) return <Empty>{t.devices.noGaps}</Empty>;
  return (
    <ul className="record-list">
      {gaps.map((gap) => (
        <li key={gap.id}>
          <Moment ms={gap.atMs} />
          <Link to={pathOf('devices', gap.deviceId)}>{gap.deviceId}</Link>
          <span>{t.devices.lost(decimal(gap.lost, language), gap.cause.replaceAll('_', ' '))}</span>
        </li>
      ))}
    </ul>
  );
}

/** Events and gaps, of one device or of all. */
function Records({ deviceId }: { readonly deviceId: string | null }) {
  const { t } = useTexts();
  const eventCall = eventsOf(deviceId, null, ROWS_MAX);
  const gapCall = gapsOf(deviceId, ROWS_MAX);
  const events = useQuery(eventCall.key, eventCall.load, REFRESH_MS);
  const gaps = useQuery(gapCall.key, gapCall.load, REFRESH_MS);
  return (
    <div className="panels">
      <Panel title={t.devices.gaps}>
        <Loaded query={gaps}>{(rows) => <Gaps gaps={rows} />}</Loaded>
      </Panel>
      <Panel title={t.devices.events}>
        <Loaded query={events}>{(rows) => <Events events={rows} />}</Loaded>
      </Panel>
    </div>
  );
}

function LastDay({ deviceId }: { readonly deviceId: string }) {
  const { t } = useTexts();
  const nowMs = useMinute();
  const { key, load } = recentHours(DAY_MS, nowMs, deviceId);
  const query = useQuery(key, load, REFRESH_MS);
  return (
    <Panel title={t.devices.hours}>
      <Loaded query={query}>
        {({ hours }) => (
          <>
            <GradeShares grades={tally(hours).grades} />
            <Trend points={hourlyScores(hours)} />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function OneDevice({ deviceId, said }: { readonly deviceId: string; readonly said: Said | undefined }) {
  return (
    <>
      <div className="panels">
        <DeviceFacts said={said} />
        <LastDay deviceId={deviceId} />
        <TwinPanel deviceId={deviceId} />
        <Commands deviceId={deviceId} />
      </div>
      <Calibrations deviceId={deviceId} />
      {said?.capabilities.includes('stage') === true && <Stage deviceId={deviceId} />}
    </>
  );
}

export default function DevicesPage({ deviceId }: { readonly deviceId: string | null }) {
  const { t } = useTexts();
  const { key, load } = deviceRecords();
  const query = useQuery(key, load, REFRESH_MS);
  const heard = useQuery(fleetSaid.key, fleetSaid.load, REFRESH_MS).value ?? [];
  const saidOf = (id: string) => heard.find((each) => each.id === id);
  const title = deviceId ?? t.devices.title;
  const back = deviceId === null ? {} : { back: { to: pathOf('devices'), label: t.devices.back } };
  return (
    <Page title={title} {...back}>
      <Loaded query={query}>
        {(devices) => {
          if (deviceId === null) return <Fleet devices={devices.map((device) => joined(device, saidOf(device.id)))} />;
          if (devices.every(({ id }) => id !== deviceId)) return <Empty>{t.devicePage.missing}</Empty>;
          return <OneDevice deviceId={deviceId} said={saidOf(deviceId)} />;
        }}
      </Loaded>
      <Records deviceId={deviceId} />
    </Page>
  );
}
