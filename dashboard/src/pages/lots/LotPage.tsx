/** One lot: what it is worth, every piece, who held or released it and why, what the ledger proves of it. */
import { useState } from 'react';
import { call } from '../../api';
import { Do, Field, Form, Submit } from '../../components/Act';
import { GradeShares, Moment } from '../../components/Figures';
import { GradeBadge } from '../../components/GradeBadge';
import { Empty, Loaded, Page, Panel } from '../../components/Page';
import { Segmented } from '../../components/Segmented';
import { download, send, useAction } from '../../data/actions';
import { lotOf } from '../../data/calls';
import { refresh, useQuery } from '../../data/queries';
import {
  anything,
  decisions as decisionList,
  ledgerVerdict,
  lotLedger,
  lotPieces,
  type Decision,
  type LedgerVerdict,
  type LotLedger,
  type LotPiece,
} from '../../domain/lot-records';
import type { LotDetail } from '../../domain/records';
import { GRADES, type Grade } from '../../domain/types';
import { decimal, index, NO_VALUE, percent, plusMinus, score } from '../../format';
import { useTexts } from '../../i18n';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';
import { usePreferences } from '../../stores/preferences';
import { may, personOf, useSession } from '../../stores/session';

const REFRESH_MS = 15_000;
const HASH_SHOWN = 16;
/** A phone shows a card for each piece: so many fit what a thumb scrolls through. */
const [PIECES, PIECES_ON_PHONE] = [25, 8] as const;
const isPhone = (): boolean => window.matchMedia('(max-width: 759px)').matches;

const decisionsOf = (id: string) => ({
  key: `decisions ${id}`,
  load: () => call(`/api/sqal/lots/${id}/decisions`, decisionList),
});

const ledgerOf = (id: string) => ({ key: `ledger ${id}`, load: () => call(`/api/gaveurs/lots/${id}`, lotLedger) });

const verdict = { key: 'ledger verdict', load: () => call('/api/blockchain/verify', ledgerVerdict) };

function Summary({ lot }: { readonly lot: LotDetail }) {
  const { t, language } = useTexts();
  const figures = [
    [t.sites.measurements, decimal(lot.samples, language)],
    [t.sites.score, lot.averageScore === null ? NO_VALUE : `${score(lot.averageScore, language)} / 100`],
    [t.sites.compliance, lot.compliancePct === null ? NO_VALUE : percent(lot.compliancePct, language)],
    [t.lots.itm, lot.itm === null ? NO_VALUE : decimal(lot.itm, language, 2)],
  ] as const;
  return (
    <dl className="kpis is-four">
      {figures.map(([label, value]) => (
        <div key={label} className="kpi">
          <dt>{label}</dt>
          <dd>
            <span className="kpi-value">{value}</span>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Decide({ lotId, isHeld }: { readonly lotId: string; readonly isHeld: boolean }) {
  const { t } = useTexts();
  const me = useSession((state) => state.me);
  const operator = usePreferences((state) => state.operator);
  const [reason, setReason] = useState('');
  const [person, setPerson] = useState(personOf(me) || operator);
  const action = useAction();
  if (!may(me, 'operator')) return <p className="quiet">{t.access.needs(t.access.roles.operator)}</p>;
  const what = isHeld ? 'release' : 'hold';
  const submit = async () => {
    await send('POST', `/api/sqal/lots/${lotId}/${what}`, { reason: reason.trim(), person: person.trim() }, anything);
    setReason('');
    const { key, load } = decisionsOf(lotId);
    await refresh(key, load);
  };
  return (
    <Form
      label={isHeld ? t.lotPage.release : t.lotPage.hold}
      testId="decide"
      onSubmit={() => {
        action.run(submit);
      }}
    >
      <p className="quiet">{isHeld ? t.lotPage.releaseHelp : t.lotPage.holdHelp}</p>
      <Field label={t.lotPage.reason} value={reason} onChange={setReason} testId="decide-reason" isRequired />
      <Field label={t.lotPage.person} value={person} onChange={setPerson} testId="decide-person" autoComplete="name" isRequired />
      <Submit action={action} testId={`lot-${what}`} isMain>
        {isHeld ? t.lotPage.release : t.lotPage.hold}
      </Submit>
    </Form>
  );
}

function Decisions({ lotId, list }: { readonly lotId: string; readonly list: readonly Decision[] }) {
  const { t } = useTexts();
  return (
    <div className="panels">
      <Decide lotId={lotId} isHeld={list[0]?.kind === 'hold'} />
      {list.length === 0 ? (
        <Empty>{t.lotPage.noDecisions}</Empty>
      ) : (
        <ul className="record-list" data-testid="decisions">
          {list.map((each) => (
            <li key={each.atMs}>
              <Moment ms={each.atMs} />
              <strong>{t.lotPage.decided[each.kind]}</strong>
              <span>{t.lotPage.by(each.person, each.reason)}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function PieceRow({ piece }: { readonly piece: LotPiece }) {
  const { t, language } = useTexts();
  const shown = (value: number | null) => (value === null ? NO_VALUE : index(value, language));
  return (
    <tr data-testid="lot-piece">
      <th scope="row">
        <GradeBadge grade={piece.grade} testId="piece-grade" />
      </th>
      <td data-label={t.sites.score}>
        {score(piece.score, language)}{' '}
        <span className="quiet">{plusMinus({ value: piece.score, uncertainty: piece.scoreU }, language, 1, 100)} / 100</span>
      </td>
      <td data-label={t.lotPage.mass}>{piece.massG === null ? NO_VALUE : `${decimal(piece.massG, language)} g`}</td>
      <td data-label={t.indices.freshness}>{shown(piece.freshness)}</td>
      <td data-label={t.indices.oxidation}>{shown(piece.oxidation)}</td>
      <td data-label={t.lots.time}>
        <Moment ms={piece.atMs} />
      </td>
      <td>
        <Link to={pathOf('sample', piece.id)}>{t.lots.see}</Link>
      </td>
    </tr>
  );
}

function Pieces({ lotId }: { readonly lotId: string }) {
  const { t } = useTexts();
  const [grade, setGrade] = useState<Grade | 'every'>('every');
  const [trail, setTrail] = useState<readonly string[]>([]);
  const before = trail.at(-1) ?? null;
  const [limit] = useState(() => String(isPhone() ? PIECES_ON_PHONE : PIECES));
  const query = new URLSearchParams({ limit, ...(grade !== 'every' && { grade }), ...(before !== null && { before }) });
  const path = `/api/sqal/lots/${lotId}/pieces?${query.toString()}`;
  const found = useQuery(path, () => call(path, lotPieces), before === null ? REFRESH_MS : null);
  const heads = [t.sites.score, t.lotPage.mass, t.indices.freshness, t.indices.oxidation, t.lots.time];
  return (
    <Panel title={t.lotPage.pieces}>
      <Segmented
        label={t.lots.grade}
        value={grade}
        onChange={(value) => {
          setGrade(value);
          setTrail([]);
        }}
        options={[
          { value: 'every', label: t.act.every },
          ...GRADES.map((value) => ({ value, label: t.grades[value], testId: `grade-filter-${value}` })),
        ]}
      />
      <Loaded query={found}>
        {({ pieces, next }) =>
          pieces.length === 0 ? (
            <Empty>{t.lotPage.noPieces}</Empty>
          ) : (
            <>
              <table className="table is-tight is-pieces">
                <thead>
                  <tr>
                    <th scope="col">{t.lots.grade}</th>
                    {heads.map((head) => (
                      <th key={head} scope="col">
                        {head}
                      </th>
                    ))}
                    <th scope="col">
                      <span className="visually-hidden">{t.lots.see}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {pieces.map((piece) => (
                    <PieceRow key={piece.id} piece={piece} />
                  ))}
                </tbody>
              </table>
              <div className="actions">
                <button
                  type="button"
                  className="button"
                  disabled={trail.length === 0}
                  onClick={() => {
                    setTrail(trail.slice(0, -1));
                  }}
                >
                  {t.lotPage.newer}
                </button>
                <button
                  type="button"
                  className="button"
                  disabled={next === null}
                  onClick={() => {
                    if (next !== null) setTrail([...trail, next]);
                  }}
                >
                  {t.act.more}
                </button>
              </div>
            </>
          )
        }
      </Loaded>
    </Panel>
  );
}

function Verified({ found }: { readonly found: LedgerVerdict }) {
  const { t, language } = useTexts();
  const entries = decimal(found.entries, language);
  return (
    <p data-testid="verdict" data-valid={found.isValid}>
      <strong className={found.isValid ? 'done' : 'row-error'}>{found.isValid ? t.lotPage.valid : t.lotPage.invalid}</strong>{' '}
      {t.lotPage.checked(entries)}
      {found.firstError !== null && <span className="row-error block">{found.firstError}</span>}
    </p>
  );
}

function Ledger({ ledger }: { readonly ledger: LotLedger }) {
  const { t, language } = useTexts();
  const query = useQuery(verdict.key, verdict.load);
  const types: Readonly<Record<string, string>> = t.lotPage.events;
  return (
    <>
      <Loaded query={query}>{(found) => <Verified found={found} />}</Loaded>
      <p>{t.lotPage.inLedger(decimal(ledger.measurements, language), decimal(ledger.sealed, language))}</p>
      {ledger.notes.length === 0 ? (
        <p className="quiet">{t.lotPage.noNotes}</p>
      ) : (
        <ul className="record-list" data-testid="ledger-notes">
          {ledger.notes.map((note) => (
            <li key={note.index}>
              <Moment ms={note.atMs} />
              <strong>{types[note.type] ?? note.type.replaceAll('_', ' ')}</strong>
              <span className="quiet">
                {t.lotPage.entry(decimal(note.index, language))} · <code title={note.hash}>{note.hash.slice(0, HASH_SHOWN)}…</code> ·{' '}
                {note.isSealed ? t.lotPage.sealed : t.lotPage.unsealed}
              </span>
            </li>
          ))}
        </ul>
      )}
      <p className="quiet">{t.lotPage.provesNot}</p>
    </>
  );
}

function Files({ lotId }: { readonly lotId: string }) {
  const { t } = useTexts();
  const action = useAction();
  const file = (format: 'csv' | 'pdf') => () => download(`/api/sqal/lots/${lotId}/report?format=${format}`, `lot-${lotId}.${format}`);
  return (
    <div className="actions">
      <Link to={pathOf('lots', `${lotId}/certificate`)} className="button is-main" testId="to-certificate">
        {t.lotPage.certificate}
      </Link>
      <button type="button" className="button" data-testid="report-pdf" disabled={action.isBusy} onClick={() => { action.run(file('pdf')); }}>
        {t.lotPage.reportPdf}
      </button>
      <Do action={action} work={file('csv')} testId="report-csv">
        {t.lotPage.reportCsv}
      </Do>
    </div>
  );
}

export function LotPage({ lotId }: { readonly lotId: string }) {
  const { t } = useTexts();
  const { key, load } = lotOf(lotId);
  const query = useQuery(key, load, REFRESH_MS);
  const decisionCall = decisionsOf(lotId);
  const decided = useQuery(decisionCall.key, decisionCall.load, REFRESH_MS);
  const ledgerCall = ledgerOf(lotId);
  const ledger = useQuery(ledgerCall.key, ledgerCall.load, REFRESH_MS);
  const newest = decided.value?.[0];
  const isHeld = newest?.kind === 'hold';
  const title = query.value === null ? `${t.lots.lot} ${lotId}` : `${t.lots.lot} ${query.value.code ?? lotId}`;
  return (
    <Page title={title} back={{ to: pathOf('lots'), label: t.lots.back }} controls={<Files lotId={lotId} />}>
      {isHeld && (
        <div className="notice notice-critical" data-testid="held">
          <p>
            <strong>{t.lotPage.held}</strong> {newest.reason}
          </p>
        </div>
      )}
      <Loaded query={query}>
        {(lot) => (
          <>
            <Summary lot={lot} />
            <Panel title={t.lots.grade}>
              <GradeShares grades={lot.grades} />
            </Panel>
          </>
        )}
      </Loaded>
      <Panel title={isHeld ? t.lotPage.decisionHeld : t.lotPage.decision}>
        <Loaded query={decided}>{(list) => <Decisions lotId={lotId} list={list} />}</Loaded>
      </Panel>
      <Pieces lotId={lotId} />
      <Panel title={t.lotPage.ledger}>
        <Loaded query={ledger}>{(found) => <Ledger ledger={found} />}</Loaded>
      </Panel>
    </Page>
  );
}
