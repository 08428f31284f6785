/** Hands what is shown to the person as a file. */
import type { ControlChart } from '../../data/science';
import { controlCsvOf, csvOf, type Series } from './series';

function save(blob: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

/** With a byte-order mark: spreadsheets read UTF-8 only so. */
export function saveCsv(series: readonly Series[], index: string): void {
  save(new Blob(['\uFEFF', csvOf(series)], { type: 'text/csv;charset=utf-8' }), `sqal-${index}.csv`);
}

export function saveControlCsv(control: ControlChart, index: string): void {
  save(new Blob(['\uFEFF', controlCsvOf(control)], { type: 'text/csv;charset=utf-8' }), `sqal-control-${index}.csv`);
}

/** The chart as it stands, on the ground of the page: a transparent picture is unreadable in half of all programs. */
export function savePng(index: string): void {
  const chart = document.querySelector<HTMLCanvasElement>('.chart canvas');
  if (chart === null) return;
  const copy = document.createElement('canvas');
  copy.width = chart.width;
  copy.height = chart.height;
  const pen = copy.getContext('2d');
  if (pen === null) return;
  pen.fillStyle = getComputedStyle(document.querySelector('.panel') ?? document.body).backgroundColor;
  pen.fillRect(0, 0, copy.width, copy.height);
  pen.drawImage(chart, 0, 0);
  copy.toBlob((blob) => {
    if (blob !== null) save(blob, `sqal-${index}.png`);
  });
}
