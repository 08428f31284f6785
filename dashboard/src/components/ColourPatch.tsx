import type { SpectralReading } from '../domain/types';
import { decimal, plusMinus } from '../format';
import { useTexts } from '../i18n';

/** The colour that the light tells, as a patch, and how far it is from the recipe's. An estimate: eight bands are no eye. */
export function ColourPatch({ spectral: { colour, deltaE } }: { readonly spectral: SpectralReading }) {
  const { t, language } = useTexts();
  if (colour === null) return null;
  const [lightness, a, b] = [colour.lightness, colour.a, colour.b].map((value) => decimal(value, language, 1));
  const words = t.line.colourLabel(lightness ?? '', a ?? '', b ?? '');
  return (
    <div className="colour" title={words} data-testid="colour">
      <span className="colour-patch" style={{ background: `lab(${colour.lightness}% ${colour.a} ${colour.b})` }} role="img" aria-label={words} />
      <span>
        <span className="colour-title">{t.line.colour}</span>
        {deltaE !== null && (
          <span className="quiet">{t.line.deltaE(decimal(deltaE.value, language, 1), plusMinus(deltaE, language, 1))}</span>
        )}
      </span>
    </div>
  );
}
