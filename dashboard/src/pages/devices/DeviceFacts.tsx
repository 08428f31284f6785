/** What a device says of itself. */
import type { ReactNode } from 'react';
import { Moment } from '../../components/Figures';
import { Panel } from '../../components/Page';
import type { Said } from '../../domain/device-records';
import { age, decimal, NO_VALUE } from '../../format';
import { useTexts } from '../../i18n';

const MB = 1e6;
const GB = 1e9;
const NOT_YET = 'not started yet';

export function DeviceFacts({ said }: { readonly said: Said | undefined }) {
  const { t, language } = useTexts();
  const words = t.devicePage;
  if (said === undefined) {
    return (
      <Panel title={words.facts}>
        <p className="quiet">{words.silent}</p>
      </Panel>
    );
  }
  const number = (value: number | null, unit: string, decimals = 0): string =>
    value === null ? NO_VALUE : `${decimal(value, language, decimals)}\u00a0${unit}`;
  const spool =
    said.spoolRows === null
      ? NO_VALUE
      : `${t.devices.rows(decimal(said.spoolRows, language))}, ${number((said.spoolBytes ?? 0) / MB, words.mb, 2)}`;
  const clock = said.clock === 'synced' || said.clock === 'unset' ? t.devices.clocks[said.clock] : (said.clock ?? NO_VALUE);
  const facts: readonly (readonly [string, ReactNode])[] = [
    [t.devices.state, said.state === null ? t.devices.states.unknown : t.devices.states[said.state]],
    [words.heard, <Moment key="heard" ms={said.heardAtMs} />],
    [words.uptime, said.uptimeS === null ? NO_VALUE : age(said.uptimeS * 1_000, language)],
    [t.devices.spool, spool],
    [t.devices.clock, clock],
    [words.disk, number(said.diskFreeBytes === null ? null : said.diskFreeBytes / GB, words.gb, 1)],
    [words.temperature, number(said.temperatureC, '°C', 1)],
    [t.devices.agent, said.agent ?? NO_VALUE],
    [t.devicePage.keys.recipe, said.recipe ?? NO_VALUE],
    ...said.sensors.map(({ chip, isHealthy, detail }) => [
      chip,
      isHealthy || detail === NOT_YET ? words.healthy : `${words.unhealthy}${detail === '' ? '' : `${t.colon}${detail}`}`,
    ] as const),
  ];
  return (
    <Panel title={words.facts}>
      <dl className="facts" data-testid="device-facts">
        {facts.map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {said.throttled.length > 0 && <p className="row-error">{words.throttled(said.throttled.join(', '))}</p>}
      <details>
        <summary>{words.counters}</summary>
        <dl className="facts">
          {said.counters.map(([name, count]) => (
            <div key={name}>
              <dt lang="en">{name.replaceAll('_', ' ')}</dt>
              <dd>{decimal(count, language)}</dd>
            </div>
          ))}
        </dl>
      </details>
    </Panel>
  );
}
