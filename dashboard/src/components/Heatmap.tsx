import { memo, useId, useState, type PointerEvent } from 'react';
import type { TofReading } from '../domain/types';
import { decimal, percent } from '../format';
import { useTexts, type Localised, type Texts } from '../i18n';
import type { HistoryEntry } from '../stores/live';
import { heatMap, legendGradient, reflectanceMap, spotsOn, zoneColour, type HeatMap, type Spot } from './heat';

const SIDE = 8;
const CELL = 10;

export const unitOf = (map: HeatMap, t: Texts): string => (map.mode === 'reflectance' ? '%' : t.heatmap.unit);

/** `creux de 4,7 mm, gravité 47 %`; a patch has no height. */
export function anomalyWords({ anomaly }: Pick<Spot, 'anomaly'>, { t, language }: Localised): string {
  const isHeight = anomaly.kind === 'dent' || anomaly.kind === 'bump' || anomaly.kind === 'foreign_body';
  const size = isHeight ? `${decimal(Math.abs(anomaly.peak), language, 1)} mm` : null;
  return t.line.anomaly(t.line.anomalies[anomaly.kind], size, percent(anomaly.severity * 100, language, 0));
}

/** A ring around what does not belong there; the graver, the thicker. */
function Spots({ spots, localised }: { readonly spots: readonly Spot[]; readonly localised: Localised }) {
  return spots.map(({ anomaly, x, y, radius }, at) => (
    <g key={at} data-testid="anomaly" data-kind={anomaly.kind}>
      <title>{anomalyWords({ anomaly }, localised)}</title>
      <circle className="anomaly-halo" cx={x * CELL} cy={y * CELL} r={radius * CELL} />
      <circle
        className={`anomaly-ring anomaly-${anomaly.kind}`}
        cx={x * CELL}
        cy={y * CELL}
        r={radius * CELL}
        strokeWidth={0.8 + anomaly.severity}
      />
    </g>
  ));
}

function zoneLabel(zone: number, map: HeatMap, { t, language }: Localised): string {
  const value = map.zonesMm[zone] ?? null;
  const words = value === null ? t.heatmap.noTarget : `${decimal(value, language)} ${unitOf(map, t)}`;
  return t.heatmap.zone(String(Math.floor(zone / SIDE) + 1), String((zone % SIDE) + 1), words);
}

function summary(map: HeatMap, { t, language }: Localised): string {
  const seen = map.zonesMm.filter((value) => value !== null);
  if (seen.length === 0) return t.heatmap.allEmpty;
  const empty = map.zonesMm.length - seen.length;
  return t.heatmap.summary(decimal(Math.min(...seen), language), decimal(Math.max(...seen), language), empty);
}

function zoneAt(event: PointerEvent<SVGSVGElement>): number {
  const box = event.currentTarget.getBoundingClientRect();
  const at = (offset: number, size: number) => Math.min(SIDE - 1, Math.max(0, Math.floor((offset / size) * SIDE)));
  return at(event.clientY - box.top, box.height) * SIDE + at(event.clientX - box.left, box.width);
}

function Zones({ map, hatch }: { readonly map: HeatMap; readonly hatch: string }) {
  return map.zonesMm.map((value, zone) => (
    <rect
      key={zone}
      x={(zone % SIDE) * CELL}
      y={Math.floor(zone / SIDE) * CELL}
      width={CELL}
      height={CELL}
      fill={value === null ? `url(#${hatch})` : zoneColour(value, map)}
    />
  ));
}

function Legend({ map }: { readonly map: HeatMap }) {
  const { t, language } = useTexts();
  const { lowMm, highMm } = map.scale;
  return (
    <div className="heat-legend" aria-hidden="true">
      <span>{decimal(lowMm, language)}</span>
      <span className="heat-ramp" style={{ background: legendGradient(map.mode) }} />
      <span>
        {decimal(highMm, language)} {unitOf(map, t)}
      </span>
    </div>
  );
}

/** Where an arrow key leads from a zone; null for any other key. */
export function zoneAfter(zone: number | null, key: string): number | null {
  const [row, column] = [Math.floor((zone ?? 0) / SIDE), (zone ?? 0) % SIDE];
  const within = (value: number) => Math.min(SIDE - 1, Math.max(0, value));
  if (zone === null) return key.startsWith('Arrow') ? 0 : null;
  if (key === 'ArrowUp') return within(row - 1) * SIDE + column;
  if (key === 'ArrowDown') return within(row + 1) * SIDE + column;
  if (key === 'ArrowLeft') return row * SIDE + within(column - 1);
  return key === 'ArrowRight' ? row * SIDE + within(column + 1) : null;
}

interface HeatmapProps {
  readonly tof: TofReading;
  readonly recent: readonly HistoryEntry[];
  /** Tells which zone is pointed at; with it, the map is also read by arrow keys. */
  readonly onZone?: (zone: number) => void;
  /** Shows how bright the surface is, where that is known, in place of how high. */
  readonly isReflectance?: boolean;
}

/** The piece as the time-of-flight sensor sees it; the pointer reads single zones. */
export const Heatmap = memo(function Heatmap({ tof, recent, onZone, isReflectance = false }: HeatmapProps) {
  const localised = useTexts();
  const [zone, setZone] = useState<number | null>(null);
  const hatch = useId();
  const map = (isReflectance ? reflectanceMap(tof) : null) ?? heatMap(tof, recent);
  const spots = spotsOn(tof);
  const point = (next: number | null) => {
    setZone(next);
    if (next !== null) onZone?.(next);
  };
  const { t } = localised;
  const titles = { height: t.heatmap.heightTitle, distance: t.heatmap.distanceTitle, reflectance: t.line.reflectanceTitle };
  const title = titles[map.mode];
  const seen = spots.map((spot) => anomalyWords(spot, localised));
  return (
    <figure className="heatmap">
      <figcaption aria-live={onZone === undefined ? undefined : 'polite'}>
        {zone === null ? title : zoneLabel(zone, map, localised)}
      </figcaption>
      <svg
        viewBox={`0 0 ${SIDE * CELL} ${SIDE * CELL}`}
        role="img"
        aria-label={[`${title}. ${summary(map, localised)}`, ...seen].join('. ')}
        shapeRendering="crispEdges"
        tabIndex={onZone === undefined ? undefined : 0}
        onKeyDown={(event) => {
          const next = onZone === undefined ? null : zoneAfter(zone, event.key);
          if (next === null) return;
          event.preventDefault();
          event.stopPropagation();
          point(next);
        }}
        onPointerMove={(event) => {
          point(zoneAt(event));
        }}
        onPointerLeave={() => {
          setZone(null);
        }}
      >
        <defs>
          <pattern id={hatch} width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
            <rect width="3" height="3" className="hatch-ground" />
            <rect width="1" height="3" className="hatch-line" />
          </pattern>
        </defs>
        <Zones map={map} hatch={hatch} />
        <g shapeRendering="geometricPrecision">
          <Spots spots={spots} localised={localised} />
        </g>
        {zone !== null && (
          <rect className="zone-cursor" x={(zone % SIDE) * CELL} y={Math.floor(zone / SIDE) * CELL} width={CELL} height={CELL} />
        )}
      </svg>
      <Legend map={map} />
    </figure>
  );
});
