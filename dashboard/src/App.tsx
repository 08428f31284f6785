import { lazy, Suspense, useEffect } from 'react';
import { Header } from './components/Header';
import { AlertAnnouncer, Footer, OfflineNotice } from './components/Notices';
import { Page } from './components/Page';
import { useTexts } from './i18n';
import { LivePage, type LivePageProps } from './pages/live/LivePage';
import { Link } from './router/Link';
import { routeOf, useRoute, type Route } from './router/route';
import { usePreferences } from './stores/preferences';
import { useSession } from './stores/session';

// Only the live line is in the first load; every other page comes when it is opened.
const SitesPage = lazy(() => import('./pages/sites/SitesPage'));
const HistoryPage = lazy(() => import('./pages/history/HistoryPage'));
const AlertsPage = lazy(() => import('./pages/alerts/AlertsPage'));
const LotsPage = lazy(() => import('./pages/lots/LotsPage'));
const DevicesPage = lazy(() => import('./pages/devices/DevicesPage'));
const AdminPage = lazy(() => import('./pages/admin/AdminPage'));
const LoginPage = lazy(() => import('./pages/login/LoginPage'));
const SamplePage = lazy(() => import('./pages/sample/SamplePage'));

/** Language, theme and title belong to the document: screen readers, scroll bars and form controls follow them. */
function useDocument({ page }: Route): void {
  const { t, language } = useTexts();
  const theme = usePreferences((state) => state.theme);
  const isWall = usePreferences((state) => state.isWall);
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = page === 'live' || page === 'unknown' || page === 'sample' || page === 'login' ? t.pageTitle : `${t.product} · ${t.nav[page]}`;
  }, [language, page, t]);
  useEffect(() => {
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }, [theme]);
  useEffect(() => {
    document.documentElement.classList.toggle('is-wall', isWall && page === 'live');
  }, [isWall, page]);
}

function Unknown() {
  const { t } = useTexts();
  return (
    <Page title={t.query.missing}>
      <div className="card empty-page">
        <p>{t.query.unknownPage}</p>
        <Link to="/" className="button">
          {t.query.home}
        </Link>
      </div>
    </Page>
  );
}

function Waiting() {
  const { t } = useTexts();
  return (
    <main id="main" className="page">
      <p className="empty" role="status">
        {t.query.loading}
      </p>
    </main>
  );
}

function Routed({ route: { page, param } }: { readonly route: Route }) {
  switch (page) {
    case 'sites':
      return <SitesPage siteCode={param} />;
    case 'history':
      return <HistoryPage />;
    case 'alerts':
      return <AlertsPage />;
    case 'lots':
      return <LotsPage lotId={param} />;
    case 'devices':
      return <DevicesPage deviceId={param} />;
    case 'admin':
      return <AdminPage tab={param} />;
    case 'login':
      return <LoginPage />;
    case 'sample':
      return <SamplePage sampleId={param ?? ''} />;
    default:
      return <Unknown />;
  }
}

export function App(props: LivePageProps) {
  const pathname = useRoute((state) => state.pathname);
  const route = routeOf(pathname);
  useDocument(route);
  const isStranger = useSession((state) => state.phase === 'stranger');
  if (isStranger) {
    return (
      <>
        <Header isBare />
        <Suspense fallback={<Waiting />}>
          <LoginPage />
        </Suspense>
      </>
    );
  }
  return (
    <>
      <Header />
      {route.page === 'live' ? (
        <LivePage {...props} />
      ) : (
        <>
          <div className="page-notice">
            <OfflineNotice onRetry={props.onReconnect} />
          </div>
          <Suspense fallback={<Waiting />}>
            <Routed key={pathname} route={route} />
          </Suspense>
        </>
      )}
      <Footer />
      <AlertAnnouncer />
    </>
  );
}
