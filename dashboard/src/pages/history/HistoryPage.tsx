/** Any index of any device over any period: hours when far, every measurement when near. */
import { useState } from 'react';
import { Empty, Loaded, Page } from '../../components/Page';
import { Segmented } from '../../components/Segmented';
import { Select } from '../../components/Select';
import { useDevices } from '../../components/useShown';
import type { Period } from '../../data/calls';
import { decimal } from '../../format';
import { useTexts } from '../../i18n';
import { usePreferences } from '../../stores/preferences';
import { Chart } from './Chart';
import { ControlStudy } from './ControlStudy';
import { saveCsv, savePng } from './save';
import { BOUNDS, INDICES, type Index, type Series } from './series';
import { SummaryTable } from './SummaryTable';
import { isNear, PERIOD_BEFORE, RAW_MAX, useSeries, type Other } from './useSeries';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const SPANS_MS = { hour: HOUR_MS, day: DAY_MS, week: 7 * DAY_MS, month: 30 * DAY_MS, quarter: 90 * DAY_MS } as const;
type Span = keyof typeof SPANS_MS;
const SPANS = ['hour', 'day', 'week', 'month', 'quarter'] as const satisfies readonly Span[];
/** Narrower shows single measurements too far apart to say anything, wider is more than is kept. */
const SPAN_MIN_MS = 60_000;
const SPAN_MAX_MS = 90 * DAY_MS;
const NOTHING = '';

const lasting = (spanMs: number): Period => ({ startMs: Date.now() - spanMs, endMs: Date.now() });

function moved({ startMs, endMs }: Period, share: number): Period {
  const byMs = Math.round((endMs - startMs) * share);
  return { startMs: startMs + byMs, endMs: endMs + byMs };
}

function zoomed({ startMs, endMs }: Period, factor: number): Period {
  const span = Math.min(SPAN_MAX_MS, Math.max(SPAN_MIN_MS, (endMs - startMs) * factor));
  const middle = (startMs + endMs) / 2;
  return { startMs: Math.round(middle - span / 2), endMs: Math.round(middle + span / 2) };
}

interface MovesProps {
  readonly period: Period;
  readonly onChange: (period: Period) => void;
}

function Moves({ period, onChange }: MovesProps) {
  const { t } = useTexts();
  const { earlier, later, zoomIn, zoomOut, now, period: label, spans } = t.history;
  const spanMs = period.endMs - period.startMs;
  const chosen = SPANS.find((span) => Math.abs(SPANS_MS[span] - spanMs) < 2) ?? null;
  const button = (words: string, next: () => Period) => (
    <button
      type="button"
      className="button"
      onClick={() => {
        onChange(next());
      }}
    >
      {words}
    </button>
  );
  return (
    <div className="toolbar">
      <Segmented<Span | ''>
        label={label}
        value={chosen ?? ''}
        onChange={(span) => {
          if (span !== '') onChange(lasting(SPANS_MS[span]));
        }}
        options={SPANS.map((value) => ({ value, label: spans[value], testId: `span-${value}` }))}
      />
      {button(`← ${earlier}`, () => moved(period, -0.5))}
      {button(`${later} →`, () => moved(period, 0.5))}
      {button(zoomIn, () => zoomed(period, 0.5))}
      {button(zoomOut, () => zoomed(period, 2))}
      {button(now, () => lasting(spanMs))}
    </div>
  );
}

interface PictureProps {
  readonly index: Index;
  readonly period: Period;
  readonly series: readonly Series[];
  readonly isTruncated: boolean;
  readonly onZoom: (period: Period) => void;
}

function Picture({ index, period, series, isTruncated, onZoom }: PictureProps) {
  const { t, language } = useTexts();
  const isRaw = isNear(period);
  if (series.every(({ points }) => points.length === 0)) return <Empty>{t.query.empty}</Empty>;
  return (
    <>
      <p className="quiet">
        <span data-testid="level">{isRaw ? t.history.raw : t.history.hourly}</span> · {t.history.hint}{' '}
        {isTruncated && t.history.truncated(decimal(RAW_MAX, language))}
      </p>
      <Chart
        label={t.history.chart(t.history.indices[index])}
        series={series}
        period={period}
        bounds={BOUNDS[index]}
        isRaw={isRaw}
        onZoom={onZoom}
      />
      <SummaryTable series={series} />
      <p className="actions">
        <button
          type="button"
          className="button"
          data-testid="csv"
          onClick={() => {
            saveCsv(series, index);
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

interface ChoicesProps {
  readonly index: Index;
  readonly onIndex: (index: Index) => void;
  readonly deviceId: string | null;
  readonly other: Other;
  readonly onOther: (other: Other) => void;
}

function Choices({ index, onIndex, deviceId, other, onOther }: ChoicesProps) {
  const { t } = useTexts();
  const setDevice = usePreferences((state) => state.setDevice);
  const ids = useDevices().map((device) => device.id);
  const others = ids.filter((id) => id !== deviceId).map((id) => ({ value: id, label: id }));
  return (
    <div className="toolbar">
      <Select
        label={t.history.index}
        testId="index"
        value={index}
        onChange={onIndex}
        choices={INDICES.map((value) => ({ value, label: t.history.indices[value] }))}
      />
      <Select
        label={t.history.device}
        value={deviceId ?? NOTHING}
        onChange={setDevice}
        choices={ids.map((value) => ({ value, label: value }))}
      />
      <Select
        label={t.history.compareWith}
        testId="compare-with"
        value={other ?? NOTHING}
        onChange={(value) => {
          onOther(value === NOTHING ? null : value);
        }}
        choices={[
          { value: NOTHING, label: t.history.nothing },
          { value: PERIOD_BEFORE ?? NOTHING, label: t.history.previousPeriod },
          ...others,
        ]}
      />
    </div>
  );
}

export default function HistoryPage() {
  const { t } = useTexts();
  const devices = useDevices();
  const chosen = usePreferences((state) => state.deviceId);
  const deviceId = chosen ?? devices[0]?.id ?? null;
  const [index, setIndex] = useState<Index>('score');
  const [other, setOther] = useState<Other>(null);
  const [period, setPeriod] = useState(() => lasting(HOUR_MS));
  const [view, setView] = useState<'trend' | 'control'>('trend');
  const switcher = (
    <Segmented
      label={t.spc.view}
      value={view}
      onChange={setView}
      options={[
        { value: 'trend', label: t.spc.trend, testId: 'view-trend' },
        { value: 'control', label: t.spc.control, testId: 'view-control' },
      ]}
    />
  );
  const { query, series, isRawOnly } = useSeries({ index, period, deviceId, other, nameBefore: t.history.before });
  if (view === 'control') {
    return (
      <Page title={t.history.title} controls={switcher}>
        {deviceId === null ? <Empty>{t.query.empty}</Empty> : (
          <ControlStudy deviceId={deviceId} period={period} moves={<Moves period={period} onChange={setPeriod} />} />
        )}
      </Page>
    );
  }
  return (
    <Page title={t.history.title} controls={switcher}>
      <Choices index={index} onIndex={setIndex} deviceId={deviceId} other={other} onOther={setOther} />
      <Moves period={period} onChange={setPeriod} />
      <section className="card panel">
        <h3>{t.history.indices[index]}</h3>
        <Loaded query={query}>
          {({ isTruncated }) =>
            isRawOnly ? (
              <Empty>{t.history.rawOnly}</Empty>
            ) : (
              <Picture
                index={index}
                period={period}
                series={series}
                isTruncated={isTruncated}
                onZoom={(next) => {
                  setPeriod(zoomed(next, 1));
                }}
              />
            )
          }
        </Loaded>
      </section>
    </Page>
  );
}
