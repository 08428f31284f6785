/** What the line refused, and why: loss is never silent. An administrator can send one again. */
import { useState } from 'react';
import { Do } from '../../components/Act';
import { Moment } from '../../components/Figures';
import { Empty, Loaded, Panel } from '../../components/Page';
import { send, useAction } from '../../data/actions';
import { deadLettersBefore } from '../../data/calls';
import { useQuery } from '../../data/queries';
import { sent } from '../../domain/admin-records';
import type { DeadLetter, DeadLetterPage } from '../../domain/records';
import { decimal } from '../../format';
import { useTexts } from '../../i18n';
import { may, useSession } from '../../stores/session';

const REFRESH_MS = 10_000;

function Letter({ letter }: { readonly letter: DeadLetter }) {
  const { t, language } = useTexts();
  const me = useSession((state) => state.me);
  const action = useAction();
  const replay = () => send('POST', `/api/sqal/dead-letters/${letter.id}/replay`, undefined, sent);
  return (
    <li className="letter">
      <details>
        <summary>
          <Moment ms={letter.lastAtMs} /> <strong>{letter.reason.replaceAll('_', ' ')}</strong>{' '}
          <span>{[letter.path, letter.detail].filter((part) => part !== null && part !== '').join(t.colon)}</span>{' '}
          {letter.occurrences > 1 && <span className="quiet">{t.alerts.times(decimal(letter.occurrences, language))}</span>}
        </summary>
        <dl className="facts">
          <dt>{t.admin.topic}</dt>
          <dd>{letter.topic}</dd>
          <dt>{t.devices.device}</dt>
          <dd>{letter.deviceId ?? t.devices.states.unknown}</dd>
          <dt>{t.admin.size}</dt>
          <dd>{t.admin.bytes(decimal(letter.payloadBytes, language))}</dd>
          <dt>{t.admin.payload}</dt>
          <dd>
            <pre tabIndex={0}>{letter.payload}</pre>
          </dd>
        </dl>
        {may(me, 'admin') ? (
          <div className="actions">
            <Do action={action} work={replay} testId="replay" done={t.adminPage.retried}>
              {t.adminPage.retry}
            </Do>
          </div>
        ) : (
          <p className="quiet">{t.access.needs(t.access.roles.admin)}</p>
        )}
      </details>
    </li>
  );
}

function List({ page, onMore }: { readonly page: DeadLetterPage; readonly onMore: (before: number) => void }) {
  const { t } = useTexts();
  const { next } = page;
  if (page.letters.length === 0) return <Empty>{t.admin.none}</Empty>;
  return (
    <>
      <ul className="letters" data-testid="dead-letters">
        {page.letters.map((letter) => (
          <Letter key={letter.id} letter={letter} />
        ))}
      </ul>
      {next !== null && (
        <button
          type="button"
          className="button"
          onClick={() => {
            onMore(next);
          }}
        >
          {t.admin.more}
        </button>
      )}
    </>
  );
}

export function Letters() {
  const { t } = useTexts();
  const [before, setBefore] = useState<number | null>(null);
  const { key, load } = deadLettersBefore(before);
  const query = useQuery(key, load, REFRESH_MS);
  return (
    <Panel title={t.admin.deadLetters}>
      <Loaded query={query}>{(page) => <List page={page} onMore={setBefore} />}</Loaded>
    </Panel>
  );
}
