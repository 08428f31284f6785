import { Link } from '../router/Link';
import { PAGES, pathOf, routeOf, useRoute, type PageName } from '../router/route';
import { useTexts } from '../i18n';
import { pendingAlerts, useAlerts } from '../stores/alerts';

/** Outlines on a 24 x 24 grid. */
const ICONS: Readonly<Record<PageName, string>> = {
  live: 'M3 12h4l3-8 4 16 3-8h4',
  sites: 'M4 21V9l8-6 8 6v12M4 21h16M9 21v-7h6v7',
  history: 'M4 4v16h16M7 15l4-5 3 3 5-7',
  alerts: 'M12 3a6 6 0 0 0-6 6v5l-2 3h16l-2-3V9a6 6 0 0 0-6-6zM10 20h4',
  lots: 'M3 8l9-5 9 5v8l-9 5-9-5zM3 8l9 5 9-5M12 13v8',
  devices: 'M7 7h10v10H7zM10 3v4M14 3v4M10 17v4M14 17v4M3 10h4M3 14h4M17 10h4M17 14h4',
  admin: 'M4 7h10M18 7h2M4 17h2M10 17h10M14 4v6M6 14v6',
};

function Icon({ page }: { readonly page: PageName }) {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" className="nav-icon">
      <path d={ICONS[page]} />
    </svg>
  );
}

/** The pages; along the top on a desk, along the bottom within reach of the thumb on a phone. */
export function Nav() {
  const { t } = useTexts();
  const { page } = routeOf(useRoute((state) => state.pathname));
  const alerts = useAlerts((state) => state.alerts);
  const pending = pendingAlerts(alerts).length;
  return (
    <nav className="nav" aria-label={t.nav.label}>
      {PAGES.map((name) => (
        <Link
          key={name}
          to={pathOf(name)}
          className="nav-link"
          isCurrent={page === name}
          testId={`nav-${name}`}
        >
          <Icon page={name} />
          <span>{t.nav[name]}</span>
          {name === 'alerts' && pending > 0 && (
            <span className="nav-count">
              {pending} <span className="visually-hidden">{t.nav.pending}</span>
            </span>
          )}
        </Link>
      ))}
    </nav>
  );
}
