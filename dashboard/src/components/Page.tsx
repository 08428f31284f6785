/** The frame of every page behind the live one, and what it shows while an answer is awaited, old, empty or refused. */
import type { ReactNode } from 'react';
import type { Query } from '../data/queries';
import { useTexts } from '../i18n';
import { Link } from '../router/Link';

interface PageProps {
  readonly title: string;
  readonly back?: { readonly to: string; readonly label: string };
  readonly controls?: ReactNode;
  readonly children: ReactNode;
}

export function Page({ title, back, controls, children }: PageProps) {
  return (
    <main id="main" tabIndex={-1} className="page">
      <div className="page-title">
        <div>
          {back !== undefined && (
            <Link to={back.to} className="back">
              ← {back.label}
            </Link>
          )}
          <h2 data-testid="page-title">{title}</h2>
        </div>
        {controls}
      </div>
      {children}
    </main>
  );
}

export function Panel({ title, children }: { readonly title: ReactNode; readonly children: ReactNode }) {
  return (
    <section className="card panel">
      <h3>{title}</h3>
      {children}
    </section>
  );
}

const FORBIDDEN = new Set([401, 403]);
const NOT_FOUND = 404;

function Refused<T>({ query }: { readonly query: Query<T> }) {
  const { t } = useTexts();
  const { error } = query;
  if (error === null) return null;
  const isForbidden = FORBIDDEN.has(error.status);
  const words = isForbidden ? t.query.forbidden : error.status === NOT_FOUND ? t.query.missing : t.query.failed;
  return (
    <div className="card empty-page" role="alert" data-testid="query-error">
      <h3>{words}</h3>
      <p className="quiet">{isForbidden ? t.query.forbiddenBody : error.reason}</p>
      {isForbidden && <p className="quiet">{error.reason}</p>}
      {isForbidden && (
        <Link to="/login" className="button is-main" testId="forbidden-login">
          {t.access.logIn}
        </Link>
      )}
      <button type="button" className="button" onClick={query.retry}>
        {t.query.retry}
      </button>
    </div>
  );
}

interface LoadedProps<T> {
  readonly query: Query<T>;
  readonly children: (value: T) => ReactNode;
}

/** Shows an answer; before it a placeholder, instead of it the reason of its absence, above an old one that it is old. */
export function Loaded<T>({ query, children }: LoadedProps<T>) {
  const { t } = useTexts();
  if (query.value === null) {
    if (query.error !== null) return <Refused query={query} />;
    return (
      <div className="card loading" aria-busy="true">
        <p role="status">{t.query.loading}</p>
      </div>
    );
  }
  return (
    <>
      {query.error !== null && (
        <div className="notice notice-offline" role="status" data-testid="query-old">
          <p>
            {t.query.old} <span className="quiet">({query.error.reason})</span>
          </p>
          <button type="button" className="button" onClick={query.retry}>
            {t.query.retry}
          </button>
        </div>
      )}
      {children(query.value)}
    </>
  );
}

export function Empty({ children }: { readonly children: ReactNode }) {
  return <p className="empty">{children}</p>;
}
