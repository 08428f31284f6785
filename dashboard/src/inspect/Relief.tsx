import { useEffect, useEffectEvent, useRef, useState } from 'react';
import { riseOf, zoneColour, type HeatMap } from '../components/heat';
import { useTexts } from '../i18n';
import { usePreferences } from '../stores/preferences';
import { relief, type Facet, type View } from './relief';

const START: View = { yaw: 0.6, pitch: 0.75 };
const KEY_STEP = 0.12;
const DRAG_RADIANS_PER_PX = 0.01;
const PITCH_MIN = 0.15;
const PITCH_MAX = Math.PI / 2;
/** What is in the shade still shows its colour. */
const AMBIENT = 0.45;
const ASPECT = 0.75;
const ZOOM = 0.62;

const tilted = (pitch: number): number => Math.min(PITCH_MAX, Math.max(PITCH_MIN, pitch));

function shaded(colour: string, light: number): string {
  const parts = /(\d+) (\d+) (\d+)/.exec(colour)?.slice(1) ?? ['0', '0', '0'];
  return `rgb(${parts.map((part) => Math.round(Number(part) * (AMBIENT + (1 - AMBIENT) * light))).join(' ')})`;
}

function draw(canvas: HTMLCanvasElement, facets: readonly Facet[], map: HeatMap): void {
  const ratio = window.devicePixelRatio;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const pen = canvas.getContext('2d');
  if (pen === null) return;
  const scale = canvas.width * ZOOM;
  pen.translate(canvas.width / 2, canvas.height * 0.58);
  for (const { corners, heightMm, light } of facets) {
    pen.beginPath();
    for (const [x, y] of corners) pen.lineTo(x * scale, y * scale);
    pen.closePath();
    const colour = shaded(zoneColour(heightMm, map), light);
    pen.fillStyle = colour;
    pen.strokeStyle = colour;
    pen.fill();
    pen.stroke();
  }
}

/** The piece as a surface that is turned by dragging or by the arrow keys. */
export function Relief({ map }: { readonly map: HeatMap }) {
  const { t } = useTexts();
  const [view, setView] = useState(START);
  const canvas = useRef<HTMLCanvasElement>(null);
  const theme = usePreferences((state) => state.theme);
  const paint = useEffectEvent(() => {
    if (canvas.current !== null) draw(canvas.current, relief(map.zonesMm, (value) => riseOf(value, map), view), map);
  });
  useEffect(() => {
    paint();
  }, [map, view, theme]);
  useEffect(() => {
    const observer = new ResizeObserver(() => {
      paint();
    });
    if (canvas.current !== null) observer.observe(canvas.current);
    return () => {
      observer.disconnect();
    };
  }, []);
  const turn = (yaw: number, pitch: number) => {
    setView((before) => ({ yaw: before.yaw + yaw, pitch: tilted(before.pitch + pitch) }));
  };
  const keys: Readonly<Record<string, readonly [number, number]>> = {
    ArrowLeft: [-KEY_STEP, 0],
    ArrowRight: [KEY_STEP, 0],
    ArrowUp: [0, KEY_STEP],
    ArrowDown: [0, -KEY_STEP],
  };
  return (
    <figure className="relief">
      <figcaption>
        {t.inspect.relief} <span className="quiet">· {t.inspect.reliefHint}</span>
      </figcaption>
      <canvas
        ref={canvas}
        role="img"
        tabIndex={0}
        aria-label={t.inspect.reliefLabel}
        style={{ aspectRatio: 1 / ASPECT }}
        onKeyDown={(event) => {
          const step = keys[event.key];
          if (step === undefined) return;
          event.preventDefault();
          event.stopPropagation();
          turn(...step);
        }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
        }}
        onPointerMove={(event) => {
          if (event.buttons !== 0) turn(event.movementX * DRAG_RADIANS_PER_PX, event.movementY * DRAG_RADIANS_PER_PX);
        }}
      />
    </figure>
  );
}
