/** Who is logged in, and the way in or out. */
import { useTexts } from '../i18n';
import { Link } from '../router/Link';
import { logOut, personOf, useSession } from '../stores/session';

export function Account() {
  const { t } = useTexts();
  const { me, phase } = useSession();
  if (phase !== 'known' || me === null) return null;
  const person = personOf(me);
  const role = t.access.roles[me.role];
  if (person === '') {
    return (
      <span className="account" data-testid="account">
        {t.access.demo} · {role} <Link to="/login">{t.access.logIn}</Link>
      </span>
    );
  }
  return (
    <span className="account" data-testid="account">
      {person} · {role}{' '}
      <button
        type="button"
        className="link-button"
        data-testid="log-out"
        onClick={() => {
          void logOut().finally(() => {
            window.location.assign('/');
          });
        }}
      >
        {t.access.logOut}
      </button>
    </span>
  );
}
