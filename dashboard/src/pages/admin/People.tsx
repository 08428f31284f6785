/** People and programs that may use this server. */
import { useState } from 'react';
import { call, within } from '../../api';
import { Do, Field, Form, Submit } from '../../components/Act';
import { Moment } from '../../components/Figures';
import { Empty, Loaded, Panel } from '../../components/Page';
import { Select } from '../../components/Select';
import { send, useAction } from '../../data/actions';
import { refresh, useQuery } from '../../data/queries';
import { token, user, type TokenRecord, type UserRecord } from '../../domain/admin-records';
import { listOf } from '../../domain/shape';
import { useTexts } from '../../i18n';
import { ROLES, type Role } from '../../stores/session';

const USERS = '/api/sqal/users';
const TOKENS = '/api/sqal/tokens';
const loadUsers = () => call(USERS, within('users', listOf(user)));
const loadTokens = () => call(TOKENS, within('tokens', listOf(token)));

/** `LL, LS` as the server takes it; nothing is every site. */
export const sitesOf = (written: string): readonly string[] | null => {
  const codes = written.split(/[\s,;]+/).filter((code) => code !== '');
  return codes.length === 0 ? null : codes;
};

function RoleSelect({ role, onChange }: { readonly role: Role; readonly onChange: (role: Role) => void }) {
  const { t } = useTexts();
  return (
    <Select
      label={t.adminPage.role}
      testId="role"
      value={role}
      onChange={onChange}
      choices={ROLES.map((value) => ({ value, label: t.access.roles[value] }))}
    />
  );
}

function UserRow({ each }: { readonly each: UserRecord }) {
  const { t } = useTexts();
  const action = useAction();
  const words = t.adminPage;
  const change = async () => {
    await send('PATCH', `${USERS}/${encodeURIComponent(each.name)}`, { is_active: !each.isActive }, user);
    await refresh(USERS, loadUsers);
  };
  return (
    <tr>
      <th scope="row">{each.name}</th>
      <td data-label={words.role}>{t.access.roles[each.role]}</td>
      <td data-label={words.sites}>{each.sites?.join(', ') ?? t.act.everySite}</td>
      <td data-label={words.entry}>{each.hasPassword ? words.byPassword : words.byLink}</td>
      <td data-label={words.active}>{each.isActive ? t.act.yes : words.suspended}</td>
      <td>
        <Do action={action} work={change}>
          {each.isActive ? words.suspend : words.resume}
        </Do>
      </td>
    </tr>
  );
}

function NewUser() {
  const { t } = useTexts();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('operator');
  const [sites, setSites] = useState('');
  const [password, setPassword] = useState('');
  const action = useAction();
  const words = t.adminPage;
  return (
    <Form
      label={words.addUser}
      onSubmit={() => {
        action.run(async () => {
          const secret = password === '' ? {} : { password };
          await send('POST', USERS, { name: name.trim(), role, sites: sitesOf(sites), ...secret }, user);
          setName('');
          setPassword('');
          await refresh(USERS, loadUsers);
        });
      }}
    >
      <Field label={words.name} value={name} onChange={setName} testId="user-name" isRequired />
      <RoleSelect role={role} onChange={setRole} />
      <Field label={words.sites} value={sites} onChange={setSites} hint={words.sitesHint} />
      <Field
        label={words.password}
        value={password}
        onChange={setPassword}
        type="password"
        autoComplete="new-password"
        testId="user-password"
      />
      <Submit action={action} testId="user-add" done={words.added}>
        {words.addUser}
      </Submit>
    </Form>
  );
}

export function Users() {
  const { t } = useTexts();
  const query = useQuery(USERS, loadUsers);
  const words = t.adminPage;
  return (
    <Panel title={words.tabs.users}>
      <Loaded query={query}>
        {(list) => (
          <>
            {list.length === 0 ? (
              <Empty>{words.noUsers}</Empty>
            ) : (
              <table className="table is-tight" data-testid="users">
                <thead>
                  <tr>
                    {[words.name, words.role, words.sites, words.entry, words.active].map((head) => (
                      <th key={head} scope="col">
                        {head}
                      </th>
                    ))}
                    <th scope="col">
                      <span className="visually-hidden">{words.did}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((each) => (
                    <UserRow key={each.name} each={each} />
                  ))}
                </tbody>
              </table>
            )}
            <NewUser />
          </>
        )}
      </Loaded>
    </Panel>
  );
}

function TokenRow({ each }: { readonly each: TokenRecord }) {
  const { t } = useTexts();
  const action = useAction();
  const words = t.adminPage;
  const revoke = async () => {
    await send('POST', `${TOKENS}/${each.id}/revoke`, undefined, token);
    await refresh(TOKENS, loadTokens);
  };
  return (
    <tr data-testid="token-row">
      <th scope="row">{each.name}</th>
      <td data-label={words.role}>{t.access.roles[each.role]}</td>
      <td data-label={words.sites}>{each.sites?.join(', ') ?? t.act.everySite}</td>
      <td data-label={words.madeBy}>{each.by}</td>
      <td data-label={words.expires}>
        <Moment ms={each.endsMs} />
      </td>
      <td>
        {each.isRevoked ? (
          <span className="row-error">{words.revoked}</span>
        ) : (
          <Do action={action} work={revoke}>
            {words.revoke}
          </Do>
        )}
      </td>
    </tr>
  );
}

function NewToken() {
  const { t } = useTexts();
  const [name, setName] = useState('');
  const [role, setRole] = useState<Role>('viewer');
  const [sites, setSites] = useState('');
  const [days, setDays] = useState('365');
  const [secret, setSecret] = useState<string | null>(null);
  const action = useAction();
  const copying = useAction();
  const words = t.adminPage;
  return (
    <>
      <Form
        label={words.addToken}
        onSubmit={() => {
          setSecret(null);
          action.run(async () => {
            const wanted = { name: name.trim(), role, sites: sitesOf(sites), days: Number(days) };
            setSecret((await send('POST', TOKENS, wanted, token)).secret);
            setName('');
            await refresh(TOKENS, loadTokens);
          });
        }}
      >
        <Field label={words.name} value={name} onChange={setName} testId="token-name" isRequired />
        <RoleSelect role={role} onChange={setRole} />
        <Field label={words.sites} value={sites} onChange={setSites} hint={words.sitesHint} />
        <Field label={words.days} value={days} onChange={setDays} type="number" isRequired />
        <Submit action={action} testId="token-add">
          {words.addToken}
        </Submit>
      </Form>
      {secret !== null && (
        <div className="notice notice-offline" role="status" data-testid="token-secret">
          <p>
            {words.secretOnce} <code className="secret">{secret}</code>
          </p>
          <Do action={copying} work={() => navigator.clipboard.writeText(secret)} done={words.copied}>
            {words.copy}
          </Do>
        </div>
      )}
    </>
  );
}

export function Tokens() {
  const { t } = useTexts();
  const query = useQuery(TOKENS, loadTokens);
  const words = t.adminPage;
  return (
    <Panel title={words.tabs.tokens}>
      <Loaded query={query}>
        {(list) => (
          <>
            {list.length === 0 ? (
              <Empty>{words.noTokens}</Empty>
            ) : (
              <table className="table is-tight">
                <thead>
                  <tr>
                    {[words.name, words.role, words.sites, words.madeBy, words.expires].map((head) => (
                      <th key={head} scope="col">
                        {head}
                      </th>
                    ))}
                    <th scope="col">
                      <span className="visually-hidden">{words.did}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((each) => (
                    <TokenRow key={each.id} each={each} />
                  ))}
                </tbody>
              </table>
            )}
            <NewToken />
          </>
        )}
      </Loaded>
    </Panel>
  );
}
