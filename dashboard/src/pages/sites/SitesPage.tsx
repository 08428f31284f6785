/** Sites beside each other: the day in figures, the week in grades, the trend; one site with its devices. */
import { GradeShares, Trend } from '../../components/Figures';
import { Empty, Loaded, Page, Panel } from '../../components/Page';
import { useMinute } from '../../components/useNow';
import { lotsOf, recentHours } from '../../data/calls';
import { useQuery } from '../../data/queries';
import type { Hour, Hours } from '../../domain/records';
import { compliancePct, groupHours, hourlyScores, tally } from '../../domain/tally';
import { percent, score, shiftOf } from '../../format';
import { useTexts, type Texts } from '../../i18n';
import { Link } from '../../router/Link';
import { pathOf } from '../../router/route';
import { usePreferences } from '../../stores/preferences';
import { Scatter } from '../lots/Scatter';
import { SiteTable, type SiteRow } from './SiteTable';

const DAY_MS = 86_400_000;
const WEEK_MS = 7 * DAY_MS;
const REFRESH_MS = 30_000;

function rowsOf(hours: readonly Hour[], keyOf: (hour: Hour) => string | null): readonly SiteRow[] {
  return [...groupHours(hours, keyOf)]
    .map(([key, group]) => ({ key, tally: tally(group), compliancePct: compliancePct(tally(group)) }))
    .sort((a, b) => (a.compliancePct ?? Infinity) - (b.compliancePct ?? Infinity) || a.key.localeCompare(b.key));
}

function SitePanel({ code, hours }: { readonly code: string; readonly hours: readonly Hour[] }) {
  const { t } = useTexts();
  return (
    <Panel title={<Link to={pathOf('sites', code)}>{t.card.site(code)}</Link>}>
      <h4>{t.sites.week}</h4>
      <GradeShares grades={tally(hours).grades} />
      <h4>{t.sites.trend}</h4>
      <Trend points={hourlyScores(hours)} />
    </Panel>
  );
}

function AllSites({ week, day }: { readonly week: readonly Hour[]; readonly day: readonly Hour[] }) {
  const { t } = useTexts();
  const bySite = groupHours(week, (hour) => hour.siteCode);
  if (bySite.size === 0) return <Empty>{t.query.empty}</Empty>;
  return (
    <>
      <Panel title={t.sites.compare}>
        <SiteTable rows={rowsOf(day, (hour) => hour.siteCode)} label={t.sites.site} linkOf={(key) => pathOf('sites', key)} isRanked />
      </Panel>
      <div className="panels">
        {[...bySite].map(([code, hours]) => (
          <SitePanel key={code} code={code} hours={hours} />
        ))}
      </div>
      <AllLots />
    </>
  );
}

/** All sites' lots: does quality follow the ITM? */
function AllLots() {
  const { t } = useTexts();
  const { key, load } = lotsOf();
  const query = useQuery(key, load, REFRESH_MS);
  return (
    <Panel title={t.lots.scatter}>
      <Loaded query={query}>{(lots) => <Scatter lots={lots} />}</Loaded>
    </Panel>
  );
}

interface OneSiteProps {
  readonly code: string;
  readonly week: readonly Hour[];
  readonly day: readonly Hour[];
}

function OneSite({ code, week, day }: OneSiteProps) {
  const { t } = useTexts();
  const setSite = usePreferences((state) => state.setSite);
  const mine = week.filter((hour) => hour.siteCode === code);
  if (mine.length === 0) return <Empty>{t.sites.missing}</Empty>;
  const today = day.filter((hour) => hour.siteCode === code);
  const choose = () => {
    setSite(code);
  };
  return (
    <>
      <p className="actions">
        <Link to={pathOf('live')} className="button" onFollow={choose}>
          {t.sites.seeLive}
        </Link>
        <Link to={pathOf('alerts')} className="button" onFollow={choose}>
          {t.nav.alerts}
        </Link>
      </p>
      <Panel title={t.sites.day}>
        <SiteTable rows={rowsOf(today, (hour) => hour.deviceId)} label={t.sites.devices} linkOf={(key) => pathOf('devices', key)} />
      </Panel>
      <SitePanel code={code} hours={mine} />
      <Panel title={t.sitesMore.byShift}>
        <SiteTable rows={shiftRows(mine, t)} label={t.sitesMore.shift} />
      </Panel>
      <SiteLots code={code} />
    </>
  );
}

const SHIFTS = ['morning', 'afternoon', 'night'] as const;

/** The site's shifts beside each other, in the order of the day. */
function shiftRows(hours: readonly Hour[], t: Texts): readonly SiteRow[] {
  const groups = groupHours(hours, (hour) => shiftOf(hour.startMs));
  return SHIFTS.flatMap((shift) => {
    const group = groups.get(shift);
    if (group === undefined) return [];
    return [{ key: t.sitesMore.shifts[shift], tally: tally(group), compliancePct: compliancePct(tally(group)) }];
  });
}

/** ITM beside quality, and the lots to go on to. */
function SiteLots({ code }: { readonly code: string }) {
  const { t, language } = useTexts();
  const { key, load } = lotsOf();
  const query = useQuery(key, load, REFRESH_MS);
  return (
    <Panel title={t.sitesMore.lots}>
      <Loaded query={query}>
        {(all) => {
          const lots = all.filter(({ siteCode }) => siteCode === code);
          if (lots.length === 0) return <Empty>{t.sitesMore.noLots}</Empty>;
          return (
            <>
              <Scatter lots={lots} />
              <ul className="record-list" data-testid="site-lots">
                {lots.map((lot) => (
                  <li key={lot.id}>
                    <Link to={pathOf('lots', String(lot.id))}>{lot.code ?? t.lots.unnamed(lot.id)}</Link>
                    <span>
                      {percent(lot.compliancePct, language)} · {score(lot.averageScore, language)} / 100
                    </span>
                  </li>
                ))}
              </ul>
            </>
          );
        }}
      </Loaded>
    </Panel>
  );
}

function Answered({ siteCode, answer, nowMs }: { readonly siteCode: string | null; readonly answer: Hours; readonly nowMs: number }) {
  const { t } = useTexts();
  const day = answer.hours.filter((hour) => hour.startMs > nowMs - DAY_MS);
  return (
    <>
      {answer.isTruncated && <p className="quiet">{t.sites.truncated}</p>}
      {siteCode === null ? <AllSites week={answer.hours} day={day} /> : <OneSite code={siteCode} week={answer.hours} day={day} />}
    </>
  );
}

export default function SitesPage({ siteCode }: { readonly siteCode: string | null }) {
  const { t } = useTexts();
  const nowMs = useMinute();
  const { key, load } = recentHours(WEEK_MS, nowMs);
  const query = useQuery(key, load, REFRESH_MS);
  const title = siteCode === null ? t.sites.title : t.card.site(siteCode);
  const back = siteCode === null ? {} : { back: { to: pathOf('sites'), label: t.sites.back } };
  return (
    <Page title={title} {...back}>
      <Loaded query={query}>{(answer) => <Answered siteCode={siteCode} answer={answer} nowMs={nowMs} />}</Loaded>
    </Page>
  );
}
