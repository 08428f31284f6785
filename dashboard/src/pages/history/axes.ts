/** What every chart of these pages has in common: colours of the theme on a canvas, and times of the site. */
import type uPlot from 'uplot';
import { momentOf, timeOfDay } from '../../format';
import type { Language } from '../../stores/preferences';

const HOUR_S = 3_600;

/** What a colour of the style sheet is in the present theme; a canvas knows neither variables nor light-dark(). */
export function resolved(host: HTMLElement, colour: string): string {
  const probe = document.createElement('span');
  probe.style.color = colour;
  host.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

export function axis(host: HTMLElement, values: (ticks: number[]) => string[]): uPlot.Axis {
  const line = { stroke: resolved(host, 'var(--line)'), width: 1 };
  return { stroke: resolved(host, 'var(--ink-quiet)'), grid: line, ticks: line, font: '12px sans-serif', values: (_, ticks) => values(ticks) };
}

/** Days when far, hours and minutes when near, seconds when very near. */
export function timeTicks(seconds: number[], spanS: number, language: Language): string[] {
  const [hour, minute] = [5, 8];
  return seconds.map((at) => {
    const ms = at * 1_000;
    if (spanS > 2 * 24 * HOUR_S) return momentOf(ms, Infinity, language).slice(0, hour);
    return timeOfDay(ms, language).slice(0, spanS > HOUR_S / 2 ? hour : minute);
  });
}
