/** The sound of a new critical alert, on request. Made by the browser itself: no file to load, none to miss. */
import { useAlerts } from '../stores/alerts';
import { usePreferences } from '../stores/preferences';

/** Two tones that carry in a hall without being an alarm siren. */
const TONES_HZ = [880, 660] as const;
const TONE_S = 0.18;
const LOUDNESS = 0.25;
/** A burst of alerts is one bell. */
const QUIET_MS = 3_000;

let context: AudioContext | undefined;
let rungAtMs = -Infinity;

/** Rings once. Browsers allow it only after a person has clicked something: the switch is that click. */
export function ring(): void {
  context ??= new AudioContext();
  void context.resume();
  const gain = context.createGain();
  gain.gain.value = LOUDNESS;
  gain.connect(context.destination);
  for (const [at, hertz] of TONES_HZ.entries()) {
    const tone = new OscillatorNode(context, { frequency: hertz });
    tone.connect(gain);
    tone.start(context.currentTime + at * TONE_S);
    tone.stop(context.currentTime + (at + 1) * TONE_S);
  }
}

/** Rings for each new critical alert while the sound is on; called once by the page. */
export function ringForAlerts(): () => void {
  return useAlerts.subscribe(({ newest }, before) => {
    if (newest === null || newest === before.newest || newest.severity !== 'critical') return;
    if (!usePreferences.getState().isSoundOn || performance.now() - rungAtMs < QUIET_MS) return;
    rungAtMs = performance.now();
    ring();
  });
}
