import { createRoot } from 'react-dom/client';
import { App } from './App';
import { followHistory } from './router/route';
import { LiveFeed, openBrowserSocket } from './live/feed';
import { ringForAlerts } from './live/bell';
import { useSession } from './stores/session';
import { keepPreferences } from './stores/preferences';
import './styles/base.css';
import './styles/layout.css';
import './styles/charts.css';
import './styles/card.css';
import './styles/alerts.css';
import './styles/pages.css';
import './styles/figures.css';
import './styles/inspect.css';
import './styles/forms.css';
import './styles/wall.css';

const feed = new LiveFeed({ open: openBrowserSocket, now: () => performance.now(), random: Math.random });
const reconnect = () => {
  feed.reconnectNow();
};
const retry = () => {
  feed.retry();
};

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no element "root"');
createRoot(root).render(<App onReconnect={reconnect} onRetry={retry} />);

keepPreferences();
followHistory();
ringForAlerts();
void useSession
  .getState()
  .ask()
  .then(() => {
    if (useSession.getState().phase !== 'stranger') feed.start();
  });
window.addEventListener('online', reconnect);
