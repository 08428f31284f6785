import { useEffect } from 'react';
import { Header } from './components/Header';
import { AlertAnnouncer, Footer } from './components/Notices';
import { useTexts } from './i18n';
import { LivePage, type LivePageProps } from './pages/live/LivePage';
import { usePreferences } from './stores/preferences';

/** Language and theme belong to the document: screen readers, scroll bars and form controls follow them. */
function useDocument(): void {
  const { t, language } = useTexts();
  const theme = usePreferences((state) => state.theme);
  useEffect(() => {
    document.documentElement.lang = language;
    document.title = t.pageTitle;
  }, [language, t]);
  useEffect(() => {
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }, [theme]);
}

export function App(props: LivePageProps) {
  useDocument();
  return (
    <>
      <Header />
      <LivePage {...props} />
      <Footer />
      <AlertAnnouncer />
    </>
  );
}
