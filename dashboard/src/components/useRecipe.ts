/** The recipe of a measurement, asked for once by its label. */
import { recipeOf, type Recipe } from '../data/science';
import { useQuery } from '../data/queries';

const NONE = { key: 'no recipe', load: () => Promise.resolve({ value: null, serverTimeMs: null }) };

/** Null while it is not here, or where the label names none that the server knows. */
export function useRecipe(label: string | null): Recipe | null {
  const { key, load } = label === null ? NONE : recipeOf(label);
  return useQuery<Recipe | null>(key, load).value;
}
