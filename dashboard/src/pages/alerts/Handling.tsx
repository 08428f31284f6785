/** What an operator may do about an alert beside one click: acknowledge with words, shelve for a while, take it back. */
import { useState, type SyntheticEvent } from 'react';
import { ApiError, shelveAlert, unshelveAlert } from '../../api';
import { Select } from '../../components/Select';
import type { Alert } from '../../domain/types';
import { useTexts } from '../../i18n';
import { useAlerts } from '../../stores/alerts';
import { usePreferences } from '../../stores/preferences';

const DURATIONS = ['30', '60', '240', '480', '1440'] as const;
type Duration = (typeof DURATIONS)[number];
const COMMENT_LENGTH_MAX = 500;

interface HandlingProps {
  readonly alert: Alert;
  readonly subject: string;
}

type Form = 'none' | 'comment' | 'shelve';

function CommentForm({ alert, onDone }: { readonly alert: Alert; readonly onDone: () => void }) {
  const { t } = useTexts();
  const acknowledge = useAlerts((store) => store.acknowledge);
  const operator = usePreferences((store) => store.operator).trim();
  const [comment, setComment] = useState('');
  const submit = (event: SyntheticEvent) => {
    event.preventDefault();
    void acknowledge(alert.id, operator === '' ? t.alerts.defaultOperator : operator, comment.trim()).then(onDone);
  };
  return (
    <form className="handling" onSubmit={submit}>
      <label className="select">
        <span>{t.alarm.comment}</span>
        <input
          type="text"
          data-testid="comment"
          maxLength={COMMENT_LENGTH_MAX}
          value={comment}
          onChange={(event) => {
            setComment(event.target.value);
          }}
        />
      </label>
      <button type="submit" className="button" data-testid="comment-confirm">
        {t.alarm.confirm}
      </button>
      <button type="button" className="button" onClick={onDone}>
        {t.alarm.cancel}
      </button>
    </form>
  );
}

function ShelfForm({ alert, onDone }: { readonly alert: Alert; readonly onDone: () => void }) {
  const { t } = useTexts();
  const replace = useAlerts((store) => store.replace);
  const [minutes, setMinutes] = useState<Duration>('60');
  const [reason, setReason] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const shelve = async () => {
    try {
      const { value: untilMs } = await shelveAlert(alert.id, Number(minutes), reason.trim());
      replace({ ...alert, state: 'shelved', isAcknowledged: true, shelf: { untilMs, by: null, reason: reason.trim() } });
      onDone();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.reason);
    }
  };
  return (
    <form
      className="handling"
      onSubmit={(event) => {
        event.preventDefault();
        void shelve();
      }}
    >
      <Select
        label={t.alarm.minutes}
        testId="shelf-minutes"
        value={minutes}
        onChange={setMinutes}
        choices={DURATIONS.map((value) => ({ value, label: t.alarm.durations[value] }))}
      />
      <label className="select">
        <span>
          {t.alarm.reason} ({t.alarm.reasonHint})
        </span>
        <input
          type="text"
          required
          data-testid="shelf-reason"
          maxLength={COMMENT_LENGTH_MAX}
          value={reason}
          onChange={(event) => {
            setReason(event.target.value);
          }}
        />
      </label>
      <button type="submit" className="button" data-testid="shelf-confirm" disabled={reason.trim() === ''}>
        {t.alarm.confirmShelve}
      </button>
      <button type="button" className="button" onClick={onDone}>
        {t.alarm.cancel}
      </button>
      {problem !== null && (
        <span className="row-error" role="alert">
          {t.alarm.failed(problem)}
        </span>
      )}
    </form>
  );
}

function Unshelve({ alert, subject }: HandlingProps) {
  const { t } = useTexts();
  const replace = useAlerts((store) => store.replace);
  const [problem, setProblem] = useState<string | null>(null);
  const take = async () => {
    try {
      await unshelveAlert(alert.id);
      replace({ ...alert, state: 'unacknowledged', isAcknowledged: false, shelf: null });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setProblem(error.reason);
    }
  };
  return (
    <>
      <button type="button" className="button" data-testid="unshelve" aria-label={t.alarm.unshelveThis(subject)} onClick={() => void take()}>
        {t.alarm.unshelve}
      </button>
      {problem !== null && (
        <span className="row-error" role="alert">
          {t.alarm.failed(problem)}
        </span>
      )}
    </>
  );
}

export function Handling({ alert, subject }: HandlingProps) {
  const { t } = useTexts();
  const [form, setForm] = useState<Form>('none');
  const close = () => {
    setForm('none');
  };
  if (alert.state === 'shelved') return <Unshelve alert={alert} subject={subject} />;
  if (alert.isAcknowledged) return null;
  if (form === 'comment') return <CommentForm alert={alert} onDone={close} />;
  if (form === 'shelve') return <ShelfForm alert={alert} onDone={close} />;
  return (
    <>
      <button
        type="button"
        className="link-button"
        data-testid="acknowledge-with"
        aria-label={t.alarm.commentThis(subject)}
        onClick={() => {
          setForm('comment');
        }}
      >
        {t.alarm.withComment}
      </button>
      <button
        type="button"
        className="link-button"
        data-testid="shelve"
        aria-label={t.alarm.shelveThis(subject)}
        onClick={() => {
          setForm('shelve');
        }}
      >
        {t.alarm.shelve}
      </button>
    </>
  );
}
