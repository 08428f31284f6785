/** What forms of several pages share: a labelled field, a button that says how it went. */
import type { ReactNode } from 'react';
import type { Action } from '../data/actions';
import { useTexts } from '../i18n';

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly testId?: string;
  readonly type?: 'text' | 'password' | 'number' | 'email';
  readonly autoComplete?: string;
  readonly hint?: string;
  readonly isRequired?: boolean;
  readonly step?: string;
}

export function Field({ label, value, onChange, testId, type = 'text', autoComplete = 'off', hint, isRequired = false, step }: FieldProps) {
  return (
    <label className="field">
      <span>{label}</span>
      <input
        type={type}
        value={value}
        data-testid={testId}
        autoComplete={autoComplete}
        required={isRequired}
        step={step}
        placeholder={hint}
        onChange={(event) => {
          onChange(event.target.value);
        }}
      />
    </label>
  );
}

interface SubmitProps {
  readonly action: Action;
  readonly children: ReactNode;
  readonly testId?: string;
  readonly isOff?: boolean;
  readonly done?: string;
  readonly isMain?: boolean;
}

/** The button of a form with its outcome beside it. */
export function Submit({ action, children, testId, isOff = false, done, isMain = false }: SubmitProps) {
  const { t } = useTexts();
  return (
    <div className="submit">
      <button type="submit" className={isMain ? 'button is-main' : 'button'} data-testid={testId} disabled={action.isBusy || isOff}>
        {action.isBusy ? t.act.busy : children}
      </button>
      <Outcome action={action} done={done} />
    </div>
  );
}

/** Says what became of it, aloud too. */
export function Outcome({ action, done }: { readonly action: Action; readonly done?: string | undefined }) {
  const { t } = useTexts();
  return (
    <span role="status" className="outcome">
      {action.reason !== null && (
        <span className="row-error" data-testid="refused">
          {t.act.refused(action.reason)}
        </span>
      )}
      {action.isDone && done !== undefined && (
        <span className="done" data-testid="done">
          {done}
        </span>
      )}
    </span>
  );
}

interface DoProps {
  readonly action: Action;
  readonly work: () => Promise<unknown>;
  readonly children: ReactNode;
  readonly testId?: string;
  readonly done?: string;
  readonly isMain?: boolean;
}

/** A button that does one thing. */
export function Do({ action, work, children, testId, done, isMain = false }: DoProps) {
  const { t } = useTexts();
  return (
    <>
      <button
        type="button"
        className={isMain ? 'button is-main' : 'button'}
        data-testid={testId}
        disabled={action.isBusy}
        onClick={() => {
          action.run(work);
        }}
      >
        {action.isBusy ? t.act.busy : children}
      </button>
      <Outcome action={action} done={done} />
    </>
  );
}

interface FormProps {
  readonly label: string;
  readonly onSubmit: () => void;
  readonly children: ReactNode;
  readonly testId?: string;
}

export function Form({ label, onSubmit, children, testId }: FormProps) {
  return (
    <form
      className="form"
      aria-label={label}
      data-testid={testId}
      onSubmit={(event) => {
        event.preventDefault();
        onSubmit();
      }}
    >
      {children}
    </form>
  );
}
