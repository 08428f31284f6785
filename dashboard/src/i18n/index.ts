/** The texts in the language that the person chose. */
import { usePreferences, type Language } from '../stores/preferences';
import { en } from './en';
import { fr, type Texts } from './fr';

export const TEXTS: Readonly<Record<Language, Texts>> = { fr, en };

export interface Localised {
  readonly t: Texts;
  readonly language: Language;
}

export function useTexts(): Localised {
  const language = usePreferences((state) => state.language);
  return { t: TEXTS[language], language };
}

export type { Texts };
