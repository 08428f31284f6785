/** A control chart drawn by uPlot: centre, limits, points, and a mark on each that breaks a rule. */
import { useEffect, useEffectEvent, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { ControlChart } from '../../data/science';
import { decimal } from '../../format';
import { useTexts } from '../../i18n';
import { usePreferences, type Language } from '../../stores/preferences';
import { axis, resolved, timeTicks } from './axes';

const HEIGHT_PX = 360;
const MARK_PX = 6;
const ROOM = 0.08;

/** Decimals that tell a value of this spread apart from its neighbours. */
export const decimalsFor = (sigma: number): number => Math.min(4, Math.max(0, 1 - Math.floor(Math.log10(Math.max(sigma, 1e-9)))));

function drawMarks(chart: uPlot, control: ControlChart, colour: string): void {
  const { ctx } = chart;
  const size = MARK_PX * devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour;
  ctx.lineWidth = 2 * devicePixelRatio;
  for (const { atMs, drawn, rules } of control.points) {
    if (rules.length === 0) continue;
    const [x, y] = [chart.valToPos(atMs / 1_000, 'x', true), chart.valToPos(drawn, 'y', true)];
    ctx.beginPath();
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y);
    ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y);
    ctx.closePath();
    ctx.stroke();
  }
  ctx.restore();
}

function rangeOf({ points, lower, upper }: ControlChart): [number, number] {
  const low = points.reduce((least, { drawn }) => Math.min(least, drawn), lower);
  const high = points.reduce((most, { drawn }) => Math.max(most, drawn), upper);
  const room = (high - low || 1) * ROOM;
  return [low - room, high + room];
}

function optionsOf(host: HTMLElement, control: ControlChart, language: Language, name: string): uPlot.Options {
  const times = control.points.map(({ atMs }) => atMs);
  const spanS = ((times.at(-1) ?? 0) - (times[0] ?? 0)) / 1_000;
  const decimals = decimalsFor(control.sigma);
  const limit = resolved(host, 'var(--series-2)');
  const warn = resolved(host, 'var(--warn)');
  const flat = (label: string, dash: number[], stroke: string) => ({ label, stroke, dash, width: 1.5, points: { show: false } });
  return {
    width: host.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'Europe/Paris'),
    scales: { x: { time: true }, y: { range: rangeOf(control) } },
    cursor: { drag: { x: false, y: false } },
    axes: [axis(host, (ticks) => timeTicks(ticks, spanS, language)), axis(host, (ticks) => ticks.map((tick) => decimal(tick, language, decimals)))],
    series: [
      {},
      { label: name, stroke: resolved(host, 'var(--series-1)'), width: 1, points: { show: true, size: 4 } },
      flat('centre', [], resolved(host, 'var(--ink-quiet)')),
      flat('lower', [6, 4], limit),
      flat('upper', [6, 4], limit),
    ],
    hooks: {
      draw: [
        (chart) => {
          drawMarks(chart, control, warn);
        },
      ],
    },
  };
}

function dataOf({ points, centre, lower, upper }: ControlChart): uPlot.AlignedData {
  return [
    points.map(({ atMs }) => atMs / 1_000),
    points.map(({ drawn }) => drawn),
    points.map(() => centre),
    points.map(() => lower),
    points.map(() => upper),
  ];
}

export function ControlPicture({ control, label, name }: { readonly control: ControlChart; readonly label: string; readonly name: string }) {
  const { language } = useTexts();
  const theme = usePreferences((state) => state.theme);
  const host = useRef<HTMLDivElement>(null);
  const make = useEffectEvent((): uPlot | null =>
    host.current === null ? null : new uPlot(optionsOf(host.current, control, language, name), dataOf(control), host.current),
  );
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
  }, [control, theme, language]);
  return <div ref={host} className="chart" role="img" aria-label={label} data-testid="control-chart" />;
}
