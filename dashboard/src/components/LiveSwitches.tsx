import { useTexts } from '../i18n';
import { ring } from '../live/bell';
import { usePreferences } from '../stores/preferences';

/** Full screen is asked for, not needed: a browser that refuses still shows the wall's view. */
function fill(isWall: boolean): void {
  const done = isWall ? document.documentElement.requestFullscreen() : document.exitFullscreen();
  done.catch(() => undefined);
}

/** Sound and the view for a wall. */
export function LiveSwitches() {
  const { t } = useTexts();
  const { isSoundOn, isWall, setSound, setWall } = usePreferences();
  return (
    <div className="live-switches">
      <button
        type="button"
        className="button"
        aria-pressed={isSoundOn}
        title={isSoundOn ? t.live.soundOn : t.live.soundOff}
        data-testid="sound"
        onClick={() => {
          if (!isSoundOn) ring();
          setSound(!isSoundOn);
        }}
      >
        {t.live.sound}
      </button>
      <button
        type="button"
        className="button"
        aria-pressed={isWall}
        data-testid="wall"
        onClick={() => {
          fill(!isWall);
          setWall(!isWall);
        }}
      >
        {isWall ? t.live.wallLeave : t.live.wall}
      </button>
    </div>
  );
}
