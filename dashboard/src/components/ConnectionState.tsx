import { age } from '../format';
import { useTexts } from '../i18n';
import { freshness, newestAgeMs } from '../live/freshness';
import { useConnection } from '../stores/connection';
import { useLive } from '../stores/live';
import { useNow } from './useNow';
import { useShownDevices } from './useShown';

/** Whether the page is live, and how old the newest measurement shown is. */
export function ConnectionState() {
  const { t, language } = useTexts();
  const nowMs = useNow();
  const status = useConnection((state) => state.status);
  const arrivals = useLive((state) => state.arrivals);
  const shown = useShownDevices().flatMap((device) => arrivals[device.id] ?? []);
  const newest = newestAgeMs(shown, nowMs);
  const state = freshness(status, newest);
  const words = state === 'stale' && newest === null ? t.connection.waiting : t.connection[state];
  return (
    <div className={`connection is-${state}`} data-testid="connection-state" data-state={state}>
      <span className="connection-mark" aria-hidden="true" />
      <span className="connection-words">
        <strong role="status" aria-label={`${t.connection.label}${t.colon}${words}`}>
          {words}
        </strong>
        <span className="quiet">{newest === null ? t.connection.never : t.connection.newest(age(newest, language))}</span>
      </span>
    </div>
  );
}
