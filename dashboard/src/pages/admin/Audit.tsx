/** Who did what, and what was denied to whom. */
import { useState } from 'react';
import { call } from '../../api';
import { Moment } from '../../components/Figures';
import { Empty, Loaded, Panel } from '../../components/Page';
import { Segmented } from '../../components/Segmented';
import { useQuery } from '../../data/queries';
import { auditPage, type AuditPage } from '../../domain/admin-records';
import { useTexts } from '../../i18n';

type Outcome = 'all' | 'done' | 'denied';

function Lines({ page }: { readonly page: AuditPage }) {
  const { t } = useTexts();
  const words = t.adminPage;
  const outcomes: Readonly<Record<string, string>> = words.outcomes;
  if (page.lines.length === 0) return <Empty>{words.noAudit}</Empty>;
  return (
    <table className="table is-tight" data-testid="audit">
      <thead>
        <tr>
          {[words.when, words.who, words.did, words.target, words.outcome].map((head) => (
            <th key={head} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {page.lines.map((line) => (
          <tr key={line.id}>
            <th scope="row">
              <Moment ms={line.atMs} />
            </th>
            <td data-label={words.who}>{line.actor}</td>
            <td data-label={words.did}>{line.action}</td>
            <td data-label={words.target}>
              <code>{line.target}</code>
            </td>
            <td data-label={words.outcome}>
              <span className={line.outcome === 'denied' ? 'row-error' : ''}>
                {outcomes[line.outcome] ?? line.outcome} {line.status !== null && <span className="quiet">({line.status})</span>}
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

export function Audit() {
  const { t } = useTexts();
  const [outcome, setOutcome] = useState<Outcome>('all');
  const [before, setBefore] = useState<number | null>(null);
  const asked = { limit: '50', ...(outcome !== 'all' && { outcome }), ...(before !== null && { before: String(before) }) };
  const path = `/api/sqal/audit?${new URLSearchParams(asked).toString()}`;
  const query = useQuery(path, () => call(path, auditPage));
  return (
    <Panel title={t.adminPage.tabs.audit}>
      <Segmented
        label={t.adminPage.outcome}
        value={outcome}
        onChange={(value) => {
          setOutcome(value);
          setBefore(null);
        }}
        options={[
          { value: 'all', label: t.adminPage.all },
          { value: 'done', label: t.adminPage.outcomes.done },
          { value: 'denied', label: t.adminPage.outcomes.denied },
        ]}
      />
      <Loaded query={query}>
        {(page) => (
          <>
            <Lines page={page} />
            {page.next !== null && (
              <button
                type="button"
                className="button"
                onClick={() => {
                  setBefore(page.next);
                }}
              >
                {t.act.more}
              </button>
            )}
          </>
        )}
      </Loaded>
    </Panel>
  );
}
