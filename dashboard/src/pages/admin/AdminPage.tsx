/** What an administrator looks after: what was refused, recipes, people, programs, channels, the record. */
import { Page } from '../../components/Page';
import { useTexts } from '../../i18n';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';
import { Audit } from './Audit';
import { Channels } from './Channels';
import { Letters } from './Letters';
import { Recipes } from './Recipes';
import { Tokens, Users } from './People';

const TABS = ['letters', 'recipes', 'users', 'tokens', 'channels', 'audit'] as const;
type Tab = (typeof TABS)[number];

const CONTENT: Readonly<Record<Tab, () => React.JSX.Element>> = {
  letters: Letters,
  recipes: Recipes,
  users: Users,
  tokens: Tokens,
  channels: Channels,
  audit: Audit,
};

export default function AdminPage({ tab }: { readonly tab: string | null }) {
  const { t } = useTexts();
  const current = TABS.find((name) => name === tab) ?? 'letters';
  const Content = CONTENT[current];
  return (
    <Page title={t.admin.title}>
      <nav className="tabs" aria-label={t.adminPage.label}>
        {TABS.map((name) => (
          <Link key={name} to={pathOf('admin', name)} className="tab" isCurrent={name === current} testId={`tab-${name}`}>
            {t.adminPage.tabs[name]}
          </Link>
        ))}
      </nav>
      <Content />
    </Page>
  );
}
