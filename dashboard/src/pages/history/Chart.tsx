/** Values over time, drawn by uPlot; the rest of the page knows nothing of it. */
import { useEffect, useEffectEvent, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { decimal, momentOf } from '../../format';
import { useTexts } from '../../i18n';
import { usePreferences, type Language } from '../../stores/preferences';
import type { Period } from '../../data/calls';
import { axis, resolved, timeTicks } from './axes';
import { aligned, type Series } from './series';

const HEIGHT_PX = 380;
/** A selection smaller than this is a click. */
const DRAG_MIN_PX = 8;
const COLOURS = ['var(--series-1)', 'var(--series-2)', 'var(--series-3)', 'var(--series-4)'];
const DASHES = [[], [7, 4], [2, 3], [10, 3, 2, 3]];
const HOUR_S = 3_600;
/** Hours farther apart than this are not joined: what was not measured is not drawn. */
const JOINED_S = 2 * HOUR_S;

interface ChartProps {
  readonly label: string;
  readonly series: readonly Series[];
  readonly period: Period;
  readonly bounds: readonly [number, number];
  /** Whether single measurements are drawn, and so as dots. */
  readonly isRaw: boolean;
  readonly onZoom: (period: Period) => void;
}

/** The values with a little room, within what is possible; without values, something to draw. */
function axisRange(low: number | null, high: number | null, [least, most]: readonly [number, number]): [number, number] {
  const [from, to] = [low ?? least, high ?? Math.min(most, least + 1)];
  const room = Math.max((to - from) * 0.1, Math.abs(to) * 0.02, 0.01);
  return [Math.max(least, from - room), Math.min(most, to + room)];
}

function optionsOf(host: HTMLElement, { series, period, bounds, isRaw, onZoom }: ChartProps, language: Language): uPlot.Options {
  const spanS = (period.endMs - period.startMs) / 1_000;
  const time = (seconds: number | null) => (seconds === null ? '' : momentOf(seconds * 1_000, Date.now(), language));
  return {
    width: host.clientWidth,
    height: HEIGHT_PX,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Europe/Paris'),
    scales: { x: { time: true, range: [period.startMs / 1_000, period.endMs / 1_000] }, y: { range: (_, low, high) => axisRange(low, high, bounds) } },
    cursor: { drag: { x: true, y: false, dist: DRAG_MIN_PX, setScale: false } },
    axes: [
      axis(host, (ticks) => timeTicks(ticks, spanS, language)),
      axis(host, (ticks) => ticks.map((tick) => decimal(tick, language, Math.abs(tick) < 2 && tick % 1 !== 0 ? 2 : 0))),
    ],
    series: [
      { label: language === 'fr' ? 'Heure' : 'Time', value: (_, seconds: number | null) => time(seconds) },
      ...series.map(({ name }, at) => ({
        label: name,
        stroke: resolved(host, COLOURS[at % COLOURS.length] ?? 'var(--ink)'),
        dash: DASHES[at % DASHES.length] ?? [],
        width: isRaw ? 1 : 2,
        points: { show: true, size: 4 },
        spanGaps: true,
        gaps: isRaw ? () => [] : wideGaps,
        value: (_: uPlot, value: number | null) => (value === null ? '–' : decimal(value, language, 2)),
      })),
    ],
    hooks: {
      setSelect: [
        (chart) => {
          if (chart.select.width < DRAG_MIN_PX) return;
          const at = (px: number) => Math.round(chart.posToVal(px, 'x') * 1_000);
          onZoom({ startMs: at(chart.select.left), endMs: at(chart.select.left + chart.select.width) });
        },
      ],
    },
  };
}

/** Where hours are missing; two series need not have the same times, so the chart's own gaps don't do. */
function wideGaps(chart: uPlot, at: number): uPlot.Series.Gaps {
  const times = chart.data[0];
  const values = chart.data[at] ?? [];
  const seen = Array.from(times).filter((_, place) => values[place] !== null && values[place] !== undefined);
  return seen.flatMap((time, place): uPlot.Series.Gaps => {
    const before = seen[place - 1];
    if (before === undefined || time - before <= JOINED_S) return [];
    return [[Math.round(chart.valToPos(before, 'x', true)), Math.round(chart.valToPos(time, 'x', true))]];
  });
}

/** A line a series; dragging chooses a period. The table beneath says the same in numbers. */
export function Chart(props: ChartProps) {
  const { language } = useTexts();
  const { label, series, period, isRaw } = props;
  const theme = usePreferences((state) => state.theme);
  const host = useRef<HTMLDivElement>(null);
  const make = useEffectEvent((): uPlot | null => {
    if (host.current === null) return null;
    const data = aligned(series).map((column) => [...column]) as unknown as uPlot.AlignedData;
    return new uPlot(optionsOf(host.current, props, language), data, host.current);
  });
  useEffect(() => {
    let chart = make();
    const remake = () => {
      chart?.destroy();
      chart = make();
    };
    const scheme = window.matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', remake);
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) chart?.setSize({ width: entry.contentRect.width, height: HEIGHT_PX });
    });
    if (host.current !== null) observer.observe(host.current);
    return () => {
      observer.disconnect();
      scheme.removeEventListener('change', remake);
      chart?.destroy();
    };
  }, [series, period.startMs, period.endMs, isRaw, theme, language]);
  return <div ref={host} className="chart" role="img" aria-label={label} data-testid="chart" />;
}
