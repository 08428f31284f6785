import { lazy, Suspense, useState } from 'react';
import type { Device } from '../domain/types';
import { useTexts } from '../i18n';

const ChallengeDialog = lazy(() => import('./ChallengeDialog'));

/** Asks whether the device still finds the values of a piece that are known; the rest comes when it is asked for. */
export function ChallengeButton({ device }: { readonly device: Device }) {
  const { t } = useTexts();
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button
        type="button"
        className="link-button"
        data-testid={`challenge-${device.id}`}
        onClick={() => {
          setOpen(true);
        }}
      >
        {t.challenge.button}
      </button>
      {isOpen && (
        <Suspense fallback={null}>
          <ChallengeDialog
            device={device}
            onClose={() => {
              setOpen(false);
            }}
          />
        </Suspense>
      )}
    </>
  );
}
