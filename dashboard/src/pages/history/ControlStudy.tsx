/** Is the line the same as before, and is that good enough? Control chart, the rules broken, and capability. */
import { useState, type ReactNode } from 'react';
import { Empty, Loaded, Panel } from '../../components/Page';
import { Select } from '../../components/Select';
import { Moment } from '../../components/Figures';
import { useDevices } from '../../components/useShown';
import { useRecipe } from '../../components/useRecipe';
import type { Period } from '../../data/calls';
import { useQuery, type Query } from '../../data/queries';
import { controlChartOf, SPC_INDICES, type ChartKind, type ControlChart, type ControlPoint, type SpcIndex } from '../../data/science';
import { decimal } from '../../format';
import { useTexts } from '../../i18n';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';
import { useLive } from '../../stores/live';
import { usePreferences } from '../../stores/preferences';
import { CapabilityStudy } from './CapabilityStudy';
import { ControlPicture, decimalsFor } from './ControlPicture';
import { saveControlCsv, savePng } from './save';

const LISTED_MAX = 12;
const TOO_FEW = 400;
const RULES = [1, 2, 3, 4] as const;

function useRuleWords(kind: string): (rule: number) => string {
  const { t } = useTexts();
  return (rule) => {
    const known = RULES.find((each) => each === rule);
    return kind === 'ewma' ? t.spc.beyond : known === undefined ? String(rule) : `${rule} · ${t.spc.rules[known]}`;
  };
}

function Violations({ control }: { readonly control: ControlChart }) {
  const { t, language } = useTexts();
  const words = useRuleWords(control.kind);
  const broken: readonly ControlPoint[] = control.points.filter(({ rules }) => rules.length > 0).toReversed();
  const decimals = decimalsFor(control.sigma);
  if (broken.length === 0) return <p data-testid="in-control">{t.spc.inControl}</p>;
  return (
    <>
      <h4>
        {t.spc.violations} · {t.spc.under(broken.length)}
      </h4>
      <ul className="record-list" data-testid="violations">
        {broken.slice(0, LISTED_MAX).map((point) => (
          <li key={point.atMs}>
            <Moment ms={point.atMs} />
            <strong>{decimal(point.drawn, language, decimals)}</strong>
            <span>{point.rules.map(words).join(t.separator)}</span>
            {point.sampleId !== null && <Link to={pathOf('sample', point.sampleId)}>{t.spc.see}</Link>}
          </li>
        ))}
      </ul>
      {broken.length > LISTED_MAX && <p className="quiet">{t.spc.more(broken.length - LISTED_MAX)}</p>}
    </>
  );
}

function Study({ control, index }: { readonly control: ControlChart; readonly index: SpcIndex }) {
  const { t, language } = useTexts();
  const number = (value: number) => decimal(value, language, decimalsFor(control.sigma));
  const facts = [
    [t.spc.centre, number(control.centre)],
    [t.spc.limits, `${number(control.lower)} … ${number(control.upper)}`],
    [t.spc.sigma, number(control.sigma)],
    [t.spc.count, decimal(control.points.length, language)],
  ] as const;
  return (
    <>
      <dl className="figures">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <ControlPicture control={control} label={t.spc.chart(t.spc.indices[index], control.violations)} name={t.spc.indices[index]} />
      <p className="quiet">
        {t.spc.legend}
        {control.bucketS !== null && ` · ${t.spc.aggregated(decimal(control.bucketS, language))}`}
      </p>
      <Violations control={control} />
      <p className="actions">
        <button
          type="button"
          className="button"
          data-testid="control-csv"
          onClick={() => {
            saveControlCsv(control, index);
          }}
        >
          {t.history.csv}
        </button>
        <button
          type="button"
          className="button"
          onClick={() => {
            savePng(index);
          }}
        >
          {t.history.png}
        </button>
      </p>
    </>
  );
}

/** Fewer than eight pieces are no fault: there is nothing to judge yet. */
function Judged({ query, children }: { readonly query: Query<ControlChart>; readonly children: (control: ControlChart) => ReactNode }) {
  const { t } = useTexts();
  if (query.value === null && query.error?.status === TOO_FEW) return <Empty>{t.spc.tooFew}</Empty>;
  return <Loaded query={query}>{children}</Loaded>;
}

interface ControlStudyProps {
  readonly deviceId: string;
  readonly period: Period;
  readonly moves: ReactNode;
}

const EVERY = '';

export function ControlStudy({ deviceId, period, moves }: ControlStudyProps) {
  const { t } = useTexts();
  const { lotId, setDevice, setLot } = usePreferences();
  const [index, setIndex] = useState<SpcIndex>('final_score');
  const [kind, setKind] = useState<ChartKind>('individuals');
  const devices = useDevices().map(({ id }) => ({ value: id, label: id }));
  const fusion = useLive(({ latestFusion }) => latestFusion[deviceId]);
  const recipe = useRecipe(fusion?.recipe ?? null);
  const study = { index, deviceId, lotId, period };
  const { key, load } = controlChartOf(study, kind);
  const query = useQuery(key, load);
  const lots = [...new Set([lotId, fusion?.lotId === undefined || fusion.lotId === null ? null : String(fusion.lotId)])].filter((id) => id !== null);
  return (
    <>
      <div className="toolbar">
        <Select
          label={t.history.index}
          testId="spc-index"
          value={index}
          onChange={setIndex}
          choices={SPC_INDICES.map((value) => ({ value, label: t.spc.indices[value] }))}
        />
        <Select label={t.history.device} value={deviceId} onChange={setDevice} choices={devices} />
        <Select
          label={t.spc.lot}
          value={lotId ?? EVERY}
          onChange={(value) => {
            setLot(value === EVERY ? null : value);
          }}
          choices={[{ value: EVERY, label: t.spc.everyLot }, ...lots.map((value) => ({ value, label: t.card.lot(value) }))]}
        />
        <Select
          label={t.spc.kind}
          testId="spc-kind"
          value={kind}
          onChange={setKind}
          choices={(['individuals', 'ewma'] as const).map((value) => ({ value, label: t.spc.kinds[value] }))}
        />
      </div>
      {moves}
      <Panel title={t.spc.title(t.spc.indices[index])}>
        <Judged query={query}>{(control) => <Study control={control} index={index} />}</Judged>
      </Panel>
      <CapabilityStudy key={`${index} ${recipe === null}`} study={study} recipe={recipe} />
    </>
  );
}
