/** Versions of recipes: what each changes, where it is used, a new one, and its activation on record. */
import { useState } from 'react';
import { ApiError, call, within } from '../../api';
import { Field, Form, Submit } from '../../components/Act';
import { Moment } from '../../components/Figures';
import { Empty, Loaded, Panel } from '../../components/Page';
import { Select } from '../../components/Select';
import { send, useAction } from '../../data/actions';
import { refresh, useQuery } from '../../data/queries';
import {
  activations,
  recipeChanges,
  recipeEntry,
  recipeText,
  sent,
  toldDevices,
  type Activations,
  type RecipeEntry,
} from '../../domain/admin-records';
import { listOf } from '../../domain/shape';
import { NO_VALUE } from '../../format';
import { useTexts } from '../../i18n';
import { may, useSession } from '../../stores/session';

const RECIPES = '/api/sqal/recipes';
const ACTIVATIONS = '/api/sqal/recipes/activations?limit=50';
const REFRESH_MS = 5_000;
const EVERYWHERE = '';
const loadRecipes = () => call(RECIPES, within('recipes', listOf(recipeEntry)));
const loadActivations = () => call(ACTIVATIONS, activations);
const pathOfRecipe = ({ name, version }: RecipeEntry): string => `${RECIPES}/${encodeURIComponent(name)}/${version}`;

function Diff({ recipe }: { readonly recipe: RecipeEntry }) {
  const { t } = useTexts();
  const words = t.adminPage;
  const path = `${pathOfRecipe(recipe)}/diff`;
  const query = useQuery(path, () => call(path, recipeChanges));
  return (
    <Loaded query={query}>
      {(changes) =>
        changes.length === 0 ? (
          <p className="quiet">{words.same}</p>
        ) : (
          <table className="table is-tight" data-testid="diff">
            <thead>
              <tr>
                {[words.field, words.before, words.after].map((head) => (
                  <th key={head} scope="col">
                    {head}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {changes.map((change) => (
                <tr key={change.path}>
                  <th scope="row">
                    <code>{change.path}</code>
                  </th>
                  <td data-label={words.before}>{change.before}</td>
                  <td data-label={words.after}>{change.after}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )
      }
    </Loaded>
  );
}

function Activate({ recipe, places }: { readonly recipe: RecipeEntry; readonly places: readonly string[] }) {
  const { t } = useTexts();
  const words = t.adminPage;
  const [reason, setReason] = useState('');
  const [where, setWhere] = useState(EVERYWHERE);
  const [told, setTold] = useState<readonly string[]>([]);
  const action = useAction();
  const scope = where === EVERYWHERE ? {} : where.length <= 2 ? { site_code: where } : { device_id: where };
  return (
    <Form
      label={`${words.activate} ${recipe.label}`}
      onSubmit={() => {
        action.run(async () => {
          setTold(await send('POST', `${pathOfRecipe(recipe)}/activate`, { reason: reason.trim(), ...scope }, toldDevices));
          await refresh(ACTIVATIONS, loadActivations);
        });
      }}
    >
      <Select
        label={words.activateWhere}
        testId="activate-where"
        value={where}
        onChange={setWhere}
        choices={[{ value: EVERYWHERE, label: words.everywhere }, ...places.map((value) => ({ value, label: value }))]}
      />
      <Field label={words.why} value={reason} onChange={setReason} testId="activate-why" isRequired />
      <Submit action={action} testId="activate" done={words.activated(told.length === 0 ? words.nobody : told.join(', '))}>
        {`${words.activate} ${recipe.label}`}
      </Submit>
    </Form>
  );
}

function NewVersion({ recipes }: { readonly recipes: readonly RecipeEntry[] }) {
  const { t } = useTexts();
  const words = t.adminPage;
  const [from, setFrom] = useState(recipes[0]?.label ?? '');
  const [values, setValues] = useState<string | null>(null);
  const [comment, setComment] = useState('');
  const action = useAction();
  const chosen = recipes.find(({ label }) => label === from);
  const path = chosen === undefined ? RECIPES : pathOfRecipe(chosen);
  const source = useQuery(`text ${path}`, () => call(path, recipeText));
  const text = values ?? source.value ?? '';
  const store = async () => {
    let parsed: unknown;
    try {
      parsed = JSON.parse(text);
    } catch {
      throw new ApiError(RECIPES, 0, words.notJson);
    }
    await send('POST', RECIPES, { values: parsed, comment: comment.trim() }, sent);
    setValues(null);
    setComment('');
    await refresh(RECIPES, loadRecipes);
  };
  return (
    <Panel title={words.newRecipe}>
      <p className="quiet">{words.newRecipeHelp}</p>
      <Form
        label={words.newRecipe}
        onSubmit={() => {
          action.run(store);
        }}
      >
        <Select
          label={words.startFrom}
          value={from}
          onChange={(label) => {
            setFrom(label);
            setValues(null);
          }}
          choices={recipes.map(({ label }) => ({ value: label, label }))}
        />
        <label className="field is-wide">
          <span>{words.values}</span>
          <textarea
            rows={14}
            spellCheck={false}
            data-testid="recipe-values"
            value={text}
            onChange={(event) => {
              setValues(event.target.value);
            }}
          />
        </label>
        <Field label={words.comment} value={comment} onChange={setComment} testId="recipe-comment" isRequired />
        <Submit action={action} testId="recipe-add" done={words.handed}>
          {words.hand}
        </Submit>
      </Form>
    </Panel>
  );
}

function Versions({ recipes, places }: { readonly recipes: readonly RecipeEntry[]; readonly places: readonly string[] }) {
  const { t } = useTexts();
  const words = t.adminPage;
  const me = useSession((state) => state.me);
  return (
    <Panel title={words.tabs.recipes}>
      <p className="quiet">{words.recipesHelp}</p>
      <ul className="letters" data-testid="recipes">
        {recipes.map((recipe) => (
          <li key={recipe.label} className="letter" data-testid={`recipe-${recipe.label}`}>
            <details>
              <summary>
                <strong>{recipe.label}</strong> {recipe.by === null ? words.shippedBy : recipe.comment}{' '}
                {recipe.atMs !== null && (
                  <span className="quiet">
                    {recipe.by} · <Moment ms={recipe.atMs} />
                  </span>
                )}
              </summary>
              <h4>{words.compare}</h4>
              <Diff recipe={recipe} />
              {may(me, 'admin') ? (
                <Activate recipe={recipe} places={places} />
              ) : (
                <p className="quiet">{t.access.needs(t.access.roles.admin)}</p>
              )}
            </details>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function InUse({ found }: { readonly found: Activations }) {
  const { t } = useTexts();
  const words = t.adminPage;
  return (
    <Panel title={words.inUse}>
      <table className="table is-tight">
        <thead>
          <tr>
            {[t.devices.device, words.wanted, words.measuredWith].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found.inUse.map((each) => (
            <tr key={each.deviceId}>
              <th scope="row">{each.deviceId}</th>
              <td data-label={words.wanted}>{each.wanted}</td>
              <td data-label={words.measuredWith}>
                {each.measuredWith ?? NO_VALUE}{' '}
                {each.agrees !== null && <span className={each.agrees ? 'done' : 'row-error'}>{each.agrees ? words.agrees : words.differs}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <h4>{words.history}</h4>
      {found.list.length === 0 ? (
        <Empty>{words.noActivations}</Empty>
      ) : (
        <ul className="record-list" data-testid="activations">
          {found.list.map((each) => (
            <li key={each.id}>
              <Moment ms={each.atMs} />
              <strong>{each.label}</strong>
              <span>
                {each.where ?? words.everywhere} · {each.by}
                {t.colon}
                {each.reason}
              </span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

export function Recipes() {
  const { t } = useTexts();
  const me = useSession((state) => state.me);
  const recipes = useQuery(RECIPES, loadRecipes);
  const used = useQuery(ACTIVATIONS, loadActivations, REFRESH_MS);
  const devices = used.value?.inUse ?? [];
  const places = [...new Set([...devices.map(({ siteCode }) => siteCode), ...devices.map(({ deviceId }) => deviceId)])];
  return (
    <>
      <Loaded query={recipes}>{(list) => <Versions recipes={list} places={places} />}</Loaded>
      <Loaded query={used}>{(found) => <InUse found={found} />}</Loaded>
      {may(me, 'operator') && recipes.value !== null ? (
        <NewVersion recipes={recipes.value} />
      ) : (
        <p className="quiet">{t.access.needs(t.access.roles.operator)}</p>
      )}
    </>
  );
}
