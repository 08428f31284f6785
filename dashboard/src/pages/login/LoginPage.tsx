/** The way in: name and password, or the link that works once. */
import { useState } from 'react';
import { Field, Form, Submit } from '../../components/Act';
import { useAction } from '../../data/actions';
import { useTexts } from '../../i18n';
import { logIn } from '../../stores/session';

const HOME = '/';

export default function LoginPage() {
  const { t } = useTexts();
  const [name, setName] = useState('');
  const [password, setPassword] = useState('');
  const action = useAction();
  const isUsed = new URLSearchParams(window.location.search).get('link') === 'used';
  return (
    <main id="main" tabIndex={-1} className="page login">
      <section className="card panel">
        <h2 data-testid="page-title">{t.access.title}</h2>
        {isUsed && (
          <p className="row-error" role="alert" data-testid="link-used">
            {t.access.linkUsed}
          </p>
        )}
        <p className="quiet">{t.access.intro}</p>
        <Form
          label={t.access.title}
          onSubmit={() => {
            action.run(async () => {
              await logIn(name.trim(), password);
              // Everything begins anew as that person: connection, answers, rights.
              window.location.assign(window.location.pathname === '/login' ? HOME : window.location.pathname);
            });
          }}
        >
          <Field label={t.access.name} value={name} onChange={setName} testId="login-name" autoComplete="username" isRequired />
          <Field
            label={t.access.password}
            value={password}
            onChange={setPassword}
            testId="login-password"
            type="password"
            autoComplete="current-password"
            isRequired
          />
          <Submit action={action} testId="login-submit" isMain>
            {t.access.logIn}
          </Submit>
        </Form>
        <p className="quiet">{t.access.linkHelp}</p>
      </section>
    </main>
  );
}
