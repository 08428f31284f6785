import type { Measured, SpectralReading, TofReading } from '../domain/types';
import { decimal, index, NO_VALUE, plusMinus, volumeCm3 } from '../format';
import { useTexts } from '../i18n';

interface RowProps {
  readonly label: string;
  readonly hint: string;
  readonly isEstimate?: boolean;
  readonly value: string;
  readonly uncertainty: string;
  /** Where a value between 0 and 1 stands; null for quantities without such a range. */
  readonly share: number | null;
}

function Row({ label, hint, isEstimate = false, value, uncertainty, share }: RowProps) {
  const { t } = useTexts();
  return (
    <div className="index-row" title={hint}>
      <dt>
        {label}
        {isEstimate && <span className="estimate">{t.indices.estimate}</span>}
      </dt>
      <dd>
        <span className="index-value">{value}</span>
        <span className="uncertainty">{uncertainty}</span>
      </dd>
      {share !== null && (
        <div className="meter" aria-hidden="true">
          <div style={{ width: `${Math.min(1, Math.max(0, share)) * 100}%` }} />
        </div>
      )}
    </div>
  );
}

type IndexRowProps = Pick<RowProps, 'label' | 'hint' | 'isEstimate'> & { readonly measured: Measured | null };

function IndexRow({ measured, ...rest }: IndexRowProps) {
  const { language } = useTexts();
  const value = measured === null ? NO_VALUE : index(measured.value, language);
  const uncertainty = measured === null ? '' : plusMinus(measured, language, 2);
  return <Row {...rest} value={value} uncertainty={uncertainty} share={measured?.value ?? null} />;
}

function Volume({ volume }: { readonly volume: Measured | null }) {
  const { t, language } = useTexts();
  const value = volume === null ? NO_VALUE : volumeCm3(volume.value, language);
  const uncertainty = volume === null ? '' : plusMinus(volume, language, 1, 1 / 1_000);
  return <Row label={t.indices.volume} hint={t.indices.volumeHint} value={value} uncertainty={uncertainty} share={null} />;
}

function Mass({ mass }: { readonly mass: Measured }) {
  const { t, language } = useTexts();
  const value = `${decimal(mass.value, language)}\u00a0g`;
  const uncertainty = plusMinus(mass, language, 0);
  return <Row label={t.indices.mass} hint={t.indices.massHint} isEstimate value={value} uncertainty={uncertainty} share={null} />;
}

interface IndexListProps {
  readonly tof: TofReading;
  readonly spectral: SpectralReading;
}

/** What was computed from the two sensors; estimates say that they are. */
export function IndexList({ tof, spectral }: IndexListProps) {
  const { t } = useTexts();
  const { indices } = t;
  return (
    <dl className="indices" aria-label={indices.title}>
      <IndexRow label={indices.freshness} hint={indices.freshnessHint} measured={spectral.freshness} />
      <IndexRow label={indices.fatQuality} hint={indices.fatQualityHint} isEstimate measured={spectral.fatQuality} />
      <IndexRow label={indices.oxidation} hint={indices.oxidationHint} measured={spectral.oxidation} />
      <IndexRow label={indices.uniformity} hint={indices.uniformityHint} measured={tof.uniformity} />
      <Volume volume={tof.volumeMm3} />
      {tof.massG !== null && <Mass mass={tof.massG} />}
    </dl>
  );
}
