/**
 * Development only, never shipped: serves the built page with made-up messages, for looking at its design and states.
 *
 * node dev/replay.mjs [--port 8123] [--rate 1] [--quiet]   then open http://localhost:8123
 * Type `stop` or `go` + Enter to freeze or resume the stream, `drop` to cut every connection.
 */
import { createReadStream, existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { WebSocketServer } from 'ws';

const { values: options } = parseArgs({
  options: { port: { type: 'string', default: '8123' }, rate: { type: 'string', default: '1' }, quiet: { type: 'boolean' } },
});
const STATIC = join(import.meta.dirname, '../../cloud/static');
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.png': 'image/png' };
const CSP = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'";
const DEVICES = [
  { device_id: 'ESP32_LL_01', device_name: 'Capteur Site Bretagne (LL)', site_code: 'LL', status: 'active' },
  { device_id: 'ESP32_LS_01', device_name: 'Capteur Site Pays de Loire (LS)', site_code: 'LS', status: 'active' },
  { device_id: 'ESP32_MT_01', device_name: 'Capteur Site Maubourguet (MT)', site_code: 'MT', status: 'active' },
];
const BELT_MM = 187;

let seed = 7;
const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const around = (middle, spread) => middle + (random() - 0.5) * 2 * spread;
const clip = (value) => Math.round(Math.min(1, Math.max(0, value)) * 10000) / 10000;
const gradeOf = (score) => (score >= 0.9 ? 'A+' : score >= 0.75 ? 'A' : score >= 0.6 ? 'B' : score >= 0.45 ? 'C' : 'REJECT');

function distances(tallness) {
  const [x0, y0] = [around(3.5, 0.4), around(3.5, 0.4)];
  return Array.from({ length: 8 }, (_, y) =>
    Array.from({ length: 8 }, (_, x) => {
      if ((x === 0 || x === 7) && (y === 0 || y === 7) && random() < 0.5) return null;
      const inside = 1 - ((x - x0) / 3.3) ** 2 - ((y - y0) / 2.5) ** 2;
      return Math.round(BELT_MM - (inside > 0 ? 62 * tallness * Math.sqrt(inside) : 0) + around(0, 1.5));
    }),
  );
}

const REFLECTED = [620, 840, 1180, 1560, 2140, 2520, 2710, 2650, 15200, 3050];
const NAMES = ['F1_415nm', 'F2_445nm', 'F3_480nm', 'F4_515nm', 'F5_555nm', 'F6_590nm', 'F7_630nm', 'F8_680nm', 'Clear', 'NIR'];

function reasonsFor(grade, analysis, oxidation) {
  const limit = { 'A+': 0.9, A: 0.75, B: 0.6, C: 0.45, REJECT: 0.45 }[grade];
  const decided = { code: 'grade', params: { grade, score: analysis.quality_score, limit } };
  if (grade === 'A+') return [decided, { code: 'near_limit', params: { grade: 'A', limit: 0.9, probability: 0.72 } }];
  if (oxidation > 0.6) return [decided, { code: 'oxidation_high', params: { value: oxidation, limit: 0.25 } }];
  if (analysis.surface_uniformity < 0.8) {
    return [decided, { code: 'surface_uniformity_low', params: { value: analysis.surface_uniformity, limit: 0.8 } }];
  }
  return [];
}

function makeSample(device, at) {
  const quality = clip(around(0.78, 0.24) - (random() < 0.1 ? 0.35 : 0));
  const oxidation = clip(around(1.0 - quality, 0.12));
  const tof = {
    volume_mm3: around(330000, 40000),
    volume_mm3_u: 6200,
    surface_uniformity: clip(quality + around(0.02, 0.05)),
    surface_uniformity_u: 0.021,
    quality_score: quality,
    grade: gradeOf(quality),
    belt_distance_mm: BELT_MM,
    mass_g: 312,
    mass_g_u: 9,
  };
  const light = {
    freshness_index: clip(around(quality + 0.05, 0.06)),
    freshness_index_u: 0.03,
    fat_quality_index: clip(around(0.8, 0.1)),
    oxidation_index: oxidation,
    oxidation_index_u: 0.024,
    quality_score: clip(quality + 0.02),
  };
  const grade = gradeOf(quality);
  return {
    sample_id: `0190${Math.floor(random() * 1e9).toString(16)}-7f3a-7c11-${Math.floor(random() * 1e12).toString(16)}`,
    time: new Date(at).toISOString(),
    device,
    tof: { raw: { distance_matrix: distances(around(1, 0.1)), reflectance_matrix: [], amplitude_matrix: [] }, analysis: tof },
    light: { raw: Object.fromEntries(NAMES.map((name, i) => [name, Math.round(REFLECTED[i] * around(1, 0.06))])), analysis: light },
    result: {
      final_score: quality,
      final_score_u: 0.018,
      final_grade: grade,
      grade_probability: clip(around(0.86, 0.12)),
      is_compliant: grade !== 'REJECT',
      reasons: reasonsFor(grade, tof, oxidation),
    },
  };
}

function prefixed(prefix, object) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [`${prefix}${key}`, value]));
}

const rowOf = (s) => ({
  time: s.time,
  sample_id: s.sample_id,
  device_id: s.device.device_id,
  site_code: s.device.site_code,
  lot_id: 42,
  vl53l8ch_distance_matrix: s.tof.raw.distance_matrix,
  ...prefixed('vl53l8ch_', s.tof.analysis),
  as7341_channels: s.light.raw,
  ...prefixed('as7341_', s.light.analysis),
  ...prefixed('fusion_', s.result),
  reasons: s.result.reasons,
});

const stored = new Map(DEVICES.map((device) => [device.device_id, []]));
const alerts = [];
const sockets = new WebSocketServer({ noServer: true });
let isRunning = !options.quiet;

function send(message) {
  const frame = JSON.stringify({ ...message, timestamp: new Date().toISOString() });
  for (const client of sockets.clients) client.send(frame);
}

function raise(s) {
  const rule = s.result.final_grade === 'REJECT' ? 'grade_reject' : s.light.analysis.oxidation_index > 0.5 ? 'oxidation_high' : null;
  if (rule === null) return;
  const severity = rule === 'grade_reject' ? 'critical' : 'warning';
  const value = rule === 'grade_reject' ? s.result.final_score : s.light.analysis.oxidation_index;
  const data_context = { value, limit: rule === 'grade_reject' ? 0.45 : 0.5 };
  const row = {
    time: s.time, alert_id: alerts.length + 1, device_id: s.device.device_id, sample_id: s.sample_id, alert_type: rule, severity,
    message: rule === 'grade_reject' ? 'Produit classé REJET' : 'Oxydation du pigment élevée', data_context, is_acknowledged: false,
    acknowledged_by: null,
  };
  alerts.unshift(row);
  send({
    type: 'alert',
    payload: {
      id: row.alert_id, severity, title: rule, message: row.message, source: row.device_id, timestamp: row.time, acknowledged: false,
      alert_type: rule, data_context,
    },
  });
}

function measure(device, at) {
  const s = makeSample(device, at);
  const rows = stored.get(device.device_id);
  rows.push(rowOf(s));
  if (rows.length > 60) rows.shift();
  raise(s);
  const common = { device_id: device.device_id, site_code: device.site_code, sample_id: s.sample_id, timestamp: s.time };
  send({ type: 'sensor_data', payload: { ...common, sensor_type: 'VL53L8CH', data: s.tof } });
  send({ type: 'sensor_data', payload: { ...common, sensor_type: 'AS7341', data: s.light } });
  send({ type: 'analysis_result', payload: { ...common, lot_id: 42, result: s.result, confidence: 0.9 } });
}

const overview = () => ({
  stats_24h: { total_samples: 12480 + stored.get('ESP32_LL_01').length, avg_quality_score: 0.8123, compliance_rate_pct: 96.42 },
  active_alerts: alerts.filter((row) => !row.is_acknowledged).length,
  critical_alerts: alerts.filter((row) => !row.is_acknowledged && row.severity === 'critical').length,
  total_devices: 3,
  active_devices: 3,
});

function answer(url) {
  const acknowledged = /^\/api\/sqal\/alerts\/(\d+)\/acknowledge$/.exec(url.pathname);
  if (acknowledged !== null) {
    const row = alerts.find((candidate) => String(candidate.alert_id) === acknowledged[1]);
    Object.assign(row, { is_acknowledged: true, acknowledged_by: url.searchParams.get('acknowledged_by') });
    return { success: true, alert_id: row.alert_id };
  }
  if (url.pathname === '/api/sqal/devices') return { devices: DEVICES, total: DEVICES.length };
  if (url.pathname === '/api/sqal/alerts') return alerts.slice(0, 50);
  if (url.pathname === '/api/sqal/dashboard/overview') return overview();
  if (url.pathname === '/api/sqal/samples') return { samples: stored.get(url.searchParams.get('device_id')) ?? [], count: 0 };
  return null;
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const body = answer(url);
  if (body !== null) {
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(body));
    return;
  }
  const path = join(STATIC, normalize(url.pathname === '/' ? '/index.html' : url.pathname));
  if (!path.startsWith(STATIC) || !existsSync(path)) response.writeHead(404).end();
  else createReadStream(path).pipe(response.writeHead(200, { 'Content-Type': TYPES[extname(path)] ?? 'text/plain', 'Content-Security-Policy': CSP }));
});

server.on('upgrade', (request, socket, head) => {
  sockets.handleUpgrade(request, socket, head, (client) => {
    client.send(JSON.stringify({ type: 'connection_established', timestamp: new Date().toISOString(), message: 'replay' }));
    client.on('message', (data) => {
      if (JSON.parse(String(data)).type === 'heartbeat') client.send(JSON.stringify({ type: 'heartbeat_ack' }));
    });
  });
});

if (!options.quiet) {
  for (const device of DEVICES) for (let ago = 30; ago > 0; ago -= 1) measure(device, Date.now() - ago * 1000);
}
setInterval(() => {
  if (isRunning) for (const device of DEVICES) measure(device, Date.now());
}, 1000 / Number(options.rate));
createInterface({ input: process.stdin }).on('line', (line) => {
  if (line === 'drop') for (const client of sockets.clients) client.terminate();
  else isRunning = line === 'go';
});
server.listen(Number(options.port), '127.0.0.1', () => console.log(`http://localhost:${options.port}`));
