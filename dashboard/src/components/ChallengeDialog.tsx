/** A challenge test: which piece, start, and the device's own record of it as soon as it comes. */
import { useEffect, useRef, useState } from 'react';
import { ApiError } from '../api';
import { useQuery } from '../data/queries';
import { challengesOf, references, startChallenge, type Challenge, type Reference } from '../data/science';
import type { Device } from '../domain/types';
import { decimal, NO_VALUE } from '../format';
import { useTexts } from '../i18n';
import { Moment } from './Figures';
import { Loaded } from './Page';
import { Select } from './Select';

const LOOK_EVERY_MS = 1_000;

type Phase =
  | { readonly name: 'ready' }
  | { readonly name: 'sent'; readonly request: string; readonly expiresAtMs: number }
  | { readonly name: 'refused'; readonly reason: string };

function Figures({ test }: { readonly test: Challenge }) {
  const { t, language } = useTexts();
  const { figure, expected, found, tolerance } = t.challenge;
  const shown = (value: number | null) => (value === null ? NO_VALUE : decimal(value, language, Math.abs(value) < 10 ? 3 : 1));
  if (test.lines.length === 0) return null;
  return (
    <table className="table">
      <thead>
        <tr>
          {[figure, expected, found, tolerance, ''].map((head, at) => (
            <th key={at} scope="col">
              {head}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {test.lines.map((line) => (
          <tr key={line.figure}>
            <th scope="row">{line.figure}</th>
            <td data-label={expected}>{shown(line.expected)}</td>
            <td data-label={found}>{shown(line.found)}</td>
            <td data-label={tolerance}>± {shown(line.tolerance)}</td>
            <td>{line.isPassed === null ? NO_VALUE : line.isPassed ? t.challenge.passed : t.challenge.failed}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Result({ test }: { readonly test: Challenge }) {
  const { t } = useTexts();
  const { passed, failed, undecided } = t.challenge;
  const words = test.isPassed === true ? passed : test.refused === null ? failed : undecided;
  return (
    <div className={`challenge-result ${test.isPassed === true ? 'is-good' : 'is-bad'}`} data-testid="challenge-result" role="status">
      <p>
        <strong>{words}</strong> · {test.referenceId} · <Moment ms={test.takenAtMs} />
        {test.refused !== null && <span> · {test.refused}</span>}
      </p>
      <Figures test={test} />
    </div>
  );
}

interface StartProps {
  readonly device: Device;
  readonly pieces: readonly Reference[];
  readonly isBusy: boolean;
  readonly onPhase: (phase: Phase) => void;
}

function Start({ device, pieces, isBusy, onPhase }: StartProps) {
  const { t } = useTexts();
  const mine = pieces.filter(({ siteCode, isRetired }) => !isRetired && (siteCode === null || siteCode === device.siteCode));
  const [chosen, choose] = useState('');
  const [isInPlace, setInPlace] = useState(false);
  const piece = mine.find(({ id }) => id === chosen) ?? mine[0];
  if (piece === undefined) return <p className="quiet">{t.challenge.none}</p>;
  const start = async () => {
    try {
      const { value } = await startChallenge(device.id, piece.id);
      onPhase({ name: 'sent', ...value });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      onPhase({ name: 'refused', reason: error.reason });
    }
  };
  return (
    <div className="toolbar">
      <Select
        label={t.challenge.piece}
        testId="challenge-piece"
        value={piece.id}
        onChange={choose}
        choices={mine.map(({ id, description }) => ({ value: id, label: description === '' ? id : `${id} · ${description}` }))}
      />
      <label className="check">
        <input
          type="checkbox"
          data-testid="challenge-in-place"
          checked={isInPlace}
          onChange={(event) => {
            setInPlace(event.target.checked);
          }}
        />
        {t.challenge.inPlace}
      </label>
      <button type="button" className="button" data-testid="challenge-start" disabled={!isInPlace || isBusy} onClick={() => void start()}>
        {isBusy ? t.challenge.waiting : t.challenge.start}
      </button>
    </div>
  );
}

/** What became of the test that was asked for here; null while nobody knows. */
function outcomeOf(phase: Phase, tests: readonly Challenge[]): Challenge | null {
  return phase.name === 'sent' ? (tests.find(({ request }) => request === phase.request) ?? null) : null;
}

export default function ChallengeDialog({ device, onClose }: { readonly device: Device; readonly onClose: () => void }) {
  const { t } = useTexts();
  const dialog = useRef<HTMLDialogElement>(null);
  const [phase, setPhase] = useState<Phase>({ name: 'ready' });
  const [isLate, setLate] = useState(false);
  const known = references();
  const record = challengesOf(device.id);
  const pieces = useQuery(known.key, known.load);
  const tests = useQuery(record.key, record.load, phase.name === 'sent' ? LOOK_EVERY_MS : null);
  const outcome = outcomeOf(phase, tests.value ?? []);
  useEffect(() => {
    dialog.current?.showModal();
  }, []);
  useEffect(() => {
    if (phase.name !== 'sent') return undefined;
    const timer = setTimeout(
      () => {
        setLate(true);
      },
      Math.max(0, phase.expiresAtMs - Date.now()),
    );
    return () => {
      clearTimeout(timer);
      setLate(false);
    };
  }, [phase]);
  return (
    <dialog ref={dialog} className="inspect challenge" aria-labelledby="challenge-title" data-testid="challenge" onClose={onClose}>
      <header className="inspect-head">
        <h2 id="challenge-title">{t.challenge.title(device.id)}</h2>
        <button type="button" className="button" data-testid="challenge-close" onClick={onClose}>
          {t.challenge.close}
        </button>
      </header>
      <div className="panel">
        <p>{t.challenge.explain}</p>
        <Loaded query={pieces}>
          {(all) => <Start device={device} pieces={all} isBusy={phase.name === 'sent' && outcome === null && !isLate} onPhase={setPhase} />}
        </Loaded>
        {phase.name === 'refused' && <p role="alert">{t.challenge.refused(phase.reason)}</p>}
        {isLate && outcome === null && <p role="alert">{t.challenge.noAnswer}</p>}
        {outcome !== null && <Result test={outcome} />}
        <h3>{t.challenge.last}</h3>
        {(tests.value ?? []).length === 0 ? (
          <p className="quiet">{t.challenge.never}</p>
        ) : (
          (tests.value ?? []).filter(({ id }) => id !== outcome?.id).map((test) => <Result key={test.id} test={test} />)
        )}
      </div>
    </dialog>
  );
}
