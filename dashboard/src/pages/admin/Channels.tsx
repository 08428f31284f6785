/** Where alerts are told outside of SQAL, and what became of what was sent. */
import { useState } from 'react';
import { call } from '../../api';
import { Do, Field, Form, Submit } from '../../components/Act';
import { Moment } from '../../components/Figures';
import { Empty, Loaded, Panel } from '../../components/Page';
import { Select } from '../../components/Select';
import { send, useAction } from '../../data/actions';
import { refresh, useQuery } from '../../data/queries';
import { channels, notices, sent, type ChannelRecord } from '../../domain/admin-records';
import { SEVERITIES, type Severity } from '../../domain/types';
import { useTexts } from '../../i18n';

const CHANNELS = '/api/sqal/channels';
const LOG = '/api/sqal/channels/log?limit=50';
const KINDS = ['email', 'webhook', 'mqtt'] as const;
type Kind = (typeof KINDS)[number];
const load = () => call(CHANNELS, channels);
const loadLog = () => call(LOG, notices);
const REFRESH_MS = 5_000;

function ChannelRow({ each }: { readonly each: ChannelRecord }) {
  const { t } = useTexts();
  const words = t.adminPage;
  const kinds: Readonly<Record<string, string>> = words.kinds;
  const action = useAction();
  const test = async () => {
    await send('POST', `${CHANNELS}/${encodeURIComponent(each.name)}/test`, undefined, sent);
    await refresh(LOG, loadLog);
  };
  return (
    <tr>
      <th scope="row">{each.name}</th>
      <td data-label={words.kind}>{kinds[each.kind] ?? each.kind}</td>
      <td data-label={words.address}>{each.target}</td>
      <td data-label={words.least}>{t.alerts.severity[each.least]}</td>
      <td>
        <Do action={action} work={test} done={words.tested}>
          {words.test}
        </Do>
      </td>
    </tr>
  );
}

function NewChannel() {
  const { t } = useTexts();
  const words = t.adminPage;
  const [name, setName] = useState('');
  const [kind, setKind] = useState<Kind>('email');
  const [target, setTarget] = useState('');
  const [least, setLeast] = useState<Severity>('critical');
  const action = useAction();
  return (
    <Form
      label={words.addChannel}
      onSubmit={() => {
        action.run(async () => {
          const body = { kind, target: target.trim(), min_severity: least };
          await send('PUT', `${CHANNELS}/${encodeURIComponent(name.trim())}`, body, sent);
          setName('');
          setTarget('');
          await refresh(CHANNELS, load);
        });
      }}
    >
      <Field label={words.name} value={name} onChange={setName} isRequired />
      <Select label={words.kind} value={kind} onChange={setKind} choices={KINDS.map((value) => ({ value, label: words.kinds[value] }))} />
      <Field label={words.address} value={target} onChange={setTarget} isRequired />
      <Select
        label={words.least}
        value={least}
        onChange={setLeast}
        choices={SEVERITIES.map((value) => ({ value, label: t.alerts.severity[value] }))}
      />
      <Submit action={action} done={words.added}>
        {words.addChannel}
      </Submit>
    </Form>
  );
}

function Log() {
  const { t } = useTexts();
  const query = useQuery(LOG, loadLog, REFRESH_MS);
  const states: Readonly<Record<string, string>> = t.adminPage.states;
  return (
    <Panel title={t.adminPage.sent}>
      <Loaded query={query}>
        {(list) =>
          list.length === 0 ? (
            <Empty>{t.adminPage.noSent}</Empty>
          ) : (
            <ul className="record-list">
              {list.map((each) => (
                <li key={each.id}>
                  <Moment ms={each.atMs} />
                  <strong>{each.channel}</strong>
                  <span>
                    {states[each.state] ?? each.state}
                    {each.error !== null && <span className="row-error block">{each.error}</span>}
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Panel>
  );
}

export function Channels() {
  const { t } = useTexts();
  const words = t.adminPage;
  const query = useQuery(CHANNELS, load);
  return (
    <>
      <Panel title={words.tabs.channels}>
        <Loaded query={query}>
          {(list) => (
            <>
              {list.length === 0 ? (
                <Empty>{words.noChannels}</Empty>
              ) : (
                <table className="table is-tight">
                  <thead>
                    <tr>
                      {[words.name, words.kind, words.address, words.least].map((head) => (
                        <th key={head} scope="col">
                          {head}
                        </th>
                      ))}
                      <th scope="col">
                        <span className="visually-hidden">{words.did}</span>
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {list.map((each) => (
                      <ChannelRow key={each.name} each={each} />
                    ))}
                  </tbody>
                </table>
              )}
              <NewChannel />
            </>
          )}
        </Loaded>
      </Panel>
      {query.value !== null && <Log />}
    </>
  );
}
