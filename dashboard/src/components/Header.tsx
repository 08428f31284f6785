import { useTexts } from '../i18n';
import { usePreferences } from '../stores/preferences';
import { Account } from './Account';
import { ConnectionState } from './ConnectionState';
import { LiveSwitches } from './LiveSwitches';
import { Nav } from './Nav';
import { Segmented } from './Segmented';

/** `isBare`: for somebody who has not logged in there is nothing to go to yet. */
export function Header({ isBare = false }: { readonly isBare?: boolean }) {
  const { t, language } = useTexts();
  const theme = usePreferences((state) => state.theme);
  const setLanguage = usePreferences((state) => state.setLanguage);
  const setTheme = usePreferences((state) => state.setTheme);
  return (
    <header className="page-head">
      <a className="skip-link" href="#main">
        {t.skipToContent}
      </a>
      <div className="brand">
        <img src="/favicon.svg" alt="" width="34" height="34" />
        <div>
          <h1>{t.product}</h1>
          <p className="quiet">{t.tagline}</p>
        </div>
      </div>
      {!isBare && <ConnectionState />}
      {!isBare && <Nav />}
      <div className="switches">
        <Account />
        {!isBare && <LiveSwitches />}
        <Segmented
          label={t.theme.label}
          value={theme}
          onChange={setTheme}
          options={[
            { value: 'auto', label: t.theme.auto },
            { value: 'light', label: t.theme.light },
            { value: 'dark', label: t.theme.dark },
          ]}
        />
        <Segmented
          label={t.language.label}
          value={language}
          onChange={setLanguage}
          options={[
            { value: 'fr', label: t.language.fr, testId: 'lang-fr', lang: 'fr' },
            { value: 'en', label: t.language.en, testId: 'lang-en', lang: 'en' },
          ]}
        />
      </div>
    </header>
  );
}
