/** Cp and Cpk against limits that the recipe proposes and a person may change; with how sure they are. */
import { useState } from 'react';
import { Empty, Loaded, Panel } from '../../components/Page';
import { useQuery } from '../../data/queries';
import { capabilityOf, type Capability, type Recipe, type SpcIndex, type Study } from '../../data/science';
import { decimal, NO_VALUE, percent } from '../../format';
import { useTexts } from '../../i18n';

const REFUSED = 400;
type Limits = readonly [number | null, number | null];

/** What the recipe asks of an index; nothing where it asks nothing. */
export function limitsOf(index: SpcIndex, recipe: Recipe | null): Limits {
  if (recipe === null) return [null, null];
  const asked: Readonly<Partial<Record<SpcIndex, Limits>>> = {
    final_score: [recipe.scoreMin, null],
    freshness_index: [recipe.freshnessMin, null],
    oxidation_index: [null, recipe.oxidationMax],
    volume_mm3: recipe.volumeMm3,
  };
  return asked[index] ?? [null, null];
}

/** A limit as it was typed; null for none, or for what is no number. */
export function limitIn(text: string): number | null {
  const value = Number(text.trim().replace(',', '.'));
  return text.trim() === '' || Number.isNaN(value) ? null : value;
}

function Result({ told }: { readonly told: Capability }) {
  const { t, language } = useTexts();
  const number = (value: number | null) => (value === null ? NO_VALUE : decimal(value, language, 2));
  const confidence = percent(told.confidence * 100, language, 0);
  const interval = (low: number | null, high: number | null) =>
    low === null || high === null ? t.spc.oneSided : t.spc.interval(number(low), number(high), confidence);
  const figures = [
    [t.spc.cpk, number(told.cpk), interval(told.cpkLow, told.cpkHigh)],
    [t.spc.cp, number(told.cp), interval(told.cpLow, told.cpHigh)],
    [t.spc.ppk, number(told.ppk), ''],
    [t.spc.pp, number(told.pp), told.pp === null ? t.spc.oneSided : ''],
    [t.spc.count, decimal(told.pieces, language), ''],
  ] as const;
  return (
    <>
      <dl className="figures" data-testid="capability">
        {figures.map(([name, value, note]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {value} <span className="quiet">{note}</span>
            </dd>
          </div>
        ))}
      </dl>
      <p className={told.isStable ? 'quiet' : 'flags'}>{told.isStable ? t.spc.stable : t.spc.unstable}</p>
    </>
  );
}

function Judged({ study, limits: [lower, upper] }: { readonly study: Study; readonly limits: Limits }) {
  const { key, load } = capabilityOf(study, lower, upper);
  const query = useQuery(key, load);
  if (query.value === null && query.error?.status === REFUSED) return <Empty>{query.error.reason}</Empty>;
  return <Loaded query={query}>{(told) => <Result told={told} />}</Loaded>;
}

export function CapabilityStudy({ study, recipe }: { readonly study: Study; readonly recipe: Recipe | null }) {
  const { t } = useTexts();
  const [proposedLower, proposedUpper] = limitsOf(study.index, recipe);
  const [lower, setLower] = useState(() => proposedLower?.toString() ?? '');
  const [upper, setUpper] = useState(() => proposedUpper?.toString() ?? '');
  const limits: Limits = [limitIn(lower), limitIn(upper)];
  const input = (label: string, value: string, change: (value: string) => void, testId: string) => (
    <label className="select">
      <span>{label}</span>
      <input
        type="text"
        inputMode="decimal"
        data-testid={testId}
        value={value}
        onChange={(event) => {
          change(event.target.value);
        }}
      />
    </label>
  );
  return (
    <Panel title={t.spc.capability}>
      <div className="toolbar">
        {input(t.spc.lower, lower, setLower, 'lower-limit')}
        {input(t.spc.upper, upper, setUpper, 'upper-limit')}
        <p className="quiet">{t.spc.recipeLimits}</p>
      </div>
      {limits[0] === null && limits[1] === null ? <Empty>{t.spc.noLimits}</Empty> : <Judged study={study} limits={limits} />}
    </Panel>
  );
}
