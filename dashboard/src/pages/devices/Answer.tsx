import type { Command } from '../../data/commands';
import { refusalOf, type CommandState } from '../../domain/device-records';
import { decimal } from '../../format';
import { useTexts } from '../../i18n';

/** A figure of a device's answer, as it is. */
function shown(value: unknown, language: 'fr' | 'en', words: { readonly yes: string; readonly no: string }): string {
  if (typeof value === 'boolean') return value ? words.yes : words.no;
  if (typeof value === 'number') return decimal(value, language, Number.isInteger(value) ? 0 : 4);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function Result({ state }: { readonly state: CommandState }) {
  const { t, language } = useTexts();
  const names: Readonly<Record<string, string>> = t.devicePage.results;
  const pairs = Object.entries(state.result);
  if (pairs.length === 0) return null;
  return (
    <dl className="facts" data-testid="command-result">
      {pairs.map(([name, value]) => (
        <div key={name}>
          <dt>{names[name] ?? name.replaceAll('_', ' ')}</dt>
          <dd>{shown(value, language, t.act)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** What the device has answered so far, in words; its own sentence stands beside ours. */
export function Answer({ command }: { readonly command: Command }) {
  const { t } = useTexts();
  const { state, reason } = command;
  if (reason !== null) {
    return (
      <p className="row-error" role="alert" data-testid="command-progress" data-progress="unsent">
        {t.act.refused(reason)}
      </p>
    );
  }
  if (state === null) return null;
  const kind = refusalOf(state.message);
  const isBad = state.progress === 'refused' || state.progress === 'failed' || state.progress === 'unanswered';
  const isSaid = state.progress !== 'begun' && state.message !== '';
  return (
    <div role="status" className="answer" data-testid="command-progress" data-progress={state.progress}>
      <p>
        <strong className={isBad ? 'row-error' : state.progress === 'done' ? 'done' : ''}>{t.devicePage.progress[state.progress]}</strong>{' '}
        {isBad && kind !== null && <span>{t.devicePage.refusals[kind]}</span>}
        {isSaid && <span className="quiet block">{t.devicePage.deviceSays(state.message)}</span>}
      </p>
      {state.progress === 'done' && <Result state={state} />}
    </div>
  );
}
