"""Which alerts a sample or an event calls for, in words of the site's language. Pure."""

from datetime import datetime

from cloud.alerts import Observation, Occurrence
from cloud.judge import EventFact, SampleFact
from cloud.studies import REPORTS, STUDY_ALERTS, Broken, read_report, verdict_of, words
from contract.bounds import Severity
from contract.sample import Sample
from quality.alerts import violations
from quality.recipe import AlertLimits
from quality.texts import SENSOR_CODES, UNGRADED_CODES, Language, text

# What happens at a device and wants a person: the kind of event, the words. The severity is for senders that name none.
EVENT_ALERTS: dict[str, tuple[Severity, str, str]] = {
    "ungraded": ("critical", "Produit non classé : {reason}", "Product not graded: {reason}"),
    "sensor_fault": ("critical", "Défaut de capteur : {reason}", "Sensor fault: {reason}"),
    "gap": ("warning", "Mesures perdues : {reason}", "Measurements lost: {reason}"),
}
ENDS = {"sensor_recovered": frozenset({"sensor_fault"})}  # kinds of event that end alerts
WATCHED_EVENTS = frozenset({*EVENT_ALERTS, *ENDS, *REPORTS})


def is_good(sample: Sample, limits: AlertLimits) -> bool:
    """Tell, at the price of four comparisons, whether a sample breaks none of the rules."""
    analysis = sample.as7341.analysis
    return (
        sample.fusion.final_score >= limits.score_low
        and sample.fusion.final_grade != "REJECT"
        and analysis.oxidation_index <= limits.oxidation_high
        and analysis.freshness_index >= limits.freshness_low
    )


def observation_of_sample(
    fact: SampleFact, *, lot_id: int | None, language: Language, limits: AlertLimits
) -> Observation:
    """Apply the five rules to a sample; `lot_id` as stored, `limits` of the recipe in use."""
    sample = fact.sample
    found = violations(
        final_score=sample.fusion.final_score,
        final_grade=sample.fusion.final_grade,
        oxidation_index=sample.as7341.analysis.oxidation_index,
        freshness_index=sample.as7341.analysis.freshness_index,
        limits=limits,
    )
    return Observation(
        device_id=sample.device_id,
        site_code=fact.place.site_code,
        line=fact.place.line,
        at=sample.timestamp,
        lot_id=lot_id,
        sample_id=sample.sample_id,
        occurrences=[
            Occurrence(
                each.alert_type, each.severity, text(each.alert_type, each.parameters, language), each.parameters
            )
            for each in found
        ],
    )


def observation_of_event(fact: EventFact, *, language: Language) -> Observation | None:
    """Return what an event says about alerts; None for the many kinds that say nothing."""
    event = fact.event
    if event.kind in REPORTS:
        return _observation_of_report(fact, language)
    if event.kind in ENDS:
        # One alert speaks for all sensors of a device, and ends with the last of them that fails.
        return None if event.data.get("failing") else _observation(fact, [], ended=ENDS[event.kind])
    known = EVENT_ALERTS.get(event.kind)
    if known is None:
        return None
    severity, french, english = known
    if event.severity != "info":  # which is also what a sender means that says nothing
        severity = event.severity
    reason = event.reason.code if event.reason else (event.gap.reason if event.gap else event.kind)
    parameters: dict[str, float | str] = {"reason": reason}
    chip = event.data.get("chip")
    if event.kind == "sensor_fault" and isinstance(chip, str):
        parameters["chip"] = chip
    if event.kind == "ungraded" and reason in UNGRADED_CODES:
        words = text(reason, {}, language)
    else:
        known_sensor = reason in SENSOR_CODES and "chip" in parameters
        cause = text(reason, parameters, language) if known_sensor else reason
        words = (french if language == "fr" else english).format(reason=cause)
    return _observation(fact, [Occurrence(event.kind, severity, words, parameters)])


def _observation(fact: EventFact, occurrences: list[Occurrence], *, ended: frozenset[str] = frozenset()) -> Observation:
    event = fact.event
    return Observation(
        device_id=event.device_id,
        site_code=fact.place.site_code,
        line=fact.place.line,
        at=event.timestamp,
        lot_id=event.lot_id,
        sample_id=None,
        occurrences=occurrences,
        keeps_the_rest=False,
        ended=ended,
    )


def observation_of_device(
    device_id: str,
    site_code: str,
    line: str,
    at: datetime,
    *,
    broken: Broken,
    ended: frozenset[str],
    language: Language,
) -> Observation:
    """What is known of a device beside its pieces: conditions that hold, and those that are over."""
    return Observation(
        device_id=device_id,
        site_code=site_code,
        line=line,
        at=at,
        lot_id=None,
        sample_id=None,
        occurrences=[
            Occurrence(each, STUDY_ALERTS[each][0], words(each, parameters, language), parameters)
            for each, parameters in broken.items()
        ],
        keeps_the_rest=False,
        ended=ended,
    )


def _observation_of_report(fact: EventFact, language: Language) -> Observation | None:
    report = read_report(fact.event)
    if report is None:
        return None
    broken, ended = verdict_of(report)
    place, at = fact.place, fact.event.timestamp
    return observation_of_device(
        fact.event.device_id, place.site_code, place.line, at, broken=broken, ended=ended, language=language
    )
