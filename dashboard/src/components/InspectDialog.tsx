import { lazy, Suspense, useEffect, useRef, type KeyboardEvent } from 'react';
import { useTexts } from '../i18n';
import { useInspect } from '../stores/inspect';
import { useLive } from '../stores/live';

const Piece = lazy(() => import('../inspect/Piece'));

const STEPS: Readonly<Record<string, number>> = { ArrowLeft: -1, ArrowRight: 1 };

function Tools({ isFirst, isLast }: { readonly isFirst: boolean; readonly isLast: boolean }) {
  const { t } = useTexts();
  const { isComparing, step, compare, resume } = useInspect();
  const button = (label: string, testId: string, onClick: () => void, isDisabled = false) => (
    <button type="button" className="button" data-testid={testId} disabled={isDisabled} onClick={onClick}>
      {label}
    </button>
  );
  return (
    <div className="inspect-tools">
      {button(`← ${t.inspect.previous}`, 'piece-previous', () => { step(-1); }, isFirst)}
      {button(`${t.inspect.next} →`, 'piece-next', () => { step(1); }, isLast)}
      {button(isComparing ? t.inspect.single : t.inspect.compare, 'piece-compare', () => { compare(!isComparing); }, isFirst)}
      {button(t.inspect.close, 'piece-close', resume)}
    </div>
  );
}

/** How many measurements came while the person looked. */
function useArrivedSince(deviceId: string, sinceMs: number): number {
  const history = useLive((state) => state.history[deviceId]);
  return history?.filter((entry) => entry.measuredAtMs > sinceMs).length ?? 0;
}

function Frozen({ deviceId, sampleId }: { readonly deviceId: string; readonly sampleId: string }) {
  const { t } = useTexts();
  const { frozen, isComparing } = useInspect();
  const at = frozen.findIndex((entry) => entry.sampleId === sampleId);
  const since = useArrivedSince(deviceId, frozen.at(-1)?.measuredAtMs ?? 0);
  const shown = frozen[at];
  const before = isComparing ? frozen[at - 1] : undefined;
  return (
    <>
      <header className="inspect-head">
        <div>
          <h2 id="inspect-title">
            {t.inspect.title} · {deviceId}
          </h2>
          <p className="quiet">
            {at + 1} / {frozen.length}
            {since > 0 && ` · ${t.inspect.waiting(since)}`}
          </p>
        </div>
        <Tools isFirst={at <= 0} isLast={at === frozen.length - 1} />
      </header>
      <Suspense fallback={<p className="empty">{t.query.loading}</p>}>
        <div className={before === undefined ? 'pieces' : 'pieces is-pair'}>
          {before !== undefined && <Piece sample={before.sample} recent={frozen} />}
          {shown !== undefined && <Piece sample={shown.sample} recent={frozen} />}
        </div>
      </Suspense>
    </>
  );
}

/** A piece that a person stopped at, over the page; Escape resumes. */
export function InspectDialog() {
  const { deviceId, sampleId, step, resume } = useInspect();
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = deviceId !== null && sampleId !== null;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  const onKeyDown = (event: KeyboardEvent) => {
    const by = STEPS[event.key];
    if (by !== undefined) step(by);
  };
  return (
    <dialog ref={dialog} className="inspect" aria-labelledby="inspect-title" data-testid="inspect" onClose={resume} onKeyDown={onKeyDown}>
      {isOpen && <Frozen deviceId={deviceId} sampleId={sampleId} />}
    </dialog>
  );
}
