"""The words of a certificate, in French and English; a page and a PDF are made of the same lines."""

from datetime import datetime
from typing import Literal

from cloud.certificate import GRADES, Document, Summary, issued, statement_of
from contract.checkpoint import parse_note

Language = Literal["fr", "en"]
LANGUAGES: tuple[Language, ...] = ("fr", "en")

TEXTS: dict[str, dict[str, str]] = {
    "fr": {
        "title": "Certificat de qualité et de traçabilité",
        "subject": "Sujet",
        "lot": "Lot",
        "site": "Site",
        "grade": "Classe la plus fréquente",
        "score": "Score moyen (0 à 1)",
        "score_value": "{score:.4f}, écart type entre pièces {sd:.4f}",
        "score_u": "incertitude type d'une pièce {u:.4f}",
        "compliance": "Pièces conformes",
        "grades": "Répartition des classes",
        "samples": "Mesures certifiées",
        "samples_value": "{samples} sur {total} mesures du lot inscrites au registre",
        "measured": "Mesuré",
        "measured_value": "forme et surface (temps de vol VL53L8CH), couleur (spectre AS7341) ; "
        "les indices optiques sont des estimations, non des analyses chimiques",
        "freshness": "Indice de fraîcheur optique",
        "oxidation": "Indice d'oxydation des pigments",
        "when": "Période",
        "devices": "Appareils",
        "calibrations": "Étalonnages en vigueur",
        "recipes": "Recettes",
        "issued": "Établi le",
        "proof": "Preuve",
        "proof_value": "inscription n° {index} du registre {origin}, scellée par le point de contrôle de {size} "
        "inscriptions du {time}",
        "root": "Racine du registre",
        "key": "Clé du registre (à comparer avec celle qui est publiée)",
        "scan": "Le code contient la déclaration, sa preuve et le point de contrôle : il se vérifie sans réseau, avec "
        "la seule clé publique. Ce fichier contient en outre chaque mesure : sqal certificate verify FICHIER",
        "none": "aucun",
    },
    "en": {
        "title": "Certificate of quality and traceability",
        "subject": "Subject",
        "lot": "Lot",
        "site": "Site",
        "grade": "Most frequent grade",
        "score": "Mean score (0 to 1)",
        "score_value": "{score:.4f}, standard deviation between pieces {sd:.4f}",
        "score_u": "standard uncertainty of one piece {u:.4f}",
        "compliance": "Compliant pieces",
        "grades": "Grades",
        "samples": "Certified measurements",
        "samples_value": "{samples} of {total} measurements of the lot in the ledger",
        "measured": "Measured",
        "measured_value": "shape and surface (time of flight, VL53L8CH), colour (spectrum, AS7341); "
        "the optical indices are estimates, not chemical analyses",
        "freshness": "Optical freshness index",
        "oxidation": "Pigment oxidation index",
        "when": "Period",
        "devices": "Devices",
        "calibrations": "Calibrations in force",
        "recipes": "Recipes",
        "issued": "Issued",
        "proof": "Proof",
        "proof_value": "entry {index} of the ledger {origin}, sealed by the checkpoint of {size} entries of {time}",
        "root": "Root of the ledger",
        "key": "Key of the ledger (compare it with the published one)",
        "scan": "The code holds the statement, its proof and the checkpoint: it can be verified offline, with nothing "
        "but the public key. This file holds every measurement as well: sqal certificate verify FILE",
        "none": "none",
    },
}


def lines_of(document: Document) -> list[tuple[str, str]]:
    """Label and value of every line of a certificate, in order. Raises CertificateError, ChainError."""
    words = TEXTS[document.language]
    entry, summary = statement_of(document)
    said = parse_note(document.checkpoint)
    proof = words["proof_value"].format(
        index=document.statement.index, origin=said.origin, size=said.size, time=_time(said.time)
    )
    return [
        (words["subject"], summary.subject),
        (words["lot"], f"{summary.lot} ({summary.lot_id})"),
        (words["site"], summary.site or words["none"]),
        *_figures(summary, words),
        (words["devices"], _list(summary.devices, words)),
        (words["calibrations"], _list(summary.calibrations, words)),
        (words["recipes"], _list(summary.recipes, words)),
        (words["issued"], _time(issued(entry))),
        (words["proof"], proof),
        (words["root"], said.root.hex()),
        (words["key"], document.key),
    ]


def _figures(summary: Summary, words: dict[str, str]) -> list[tuple[str, str]]:
    score = words["score_value"].format(score=summary.score, sd=summary.score_sd)
    if summary.score_u is not None:
        score += ", " + words["score_u"].format(u=summary.score_u)
    return [
        (words["grade"], summary.grade),
        (words["score"], score),
        (words["compliance"], f"{summary.compliance_pct:.2f} %"),
        (words["grades"], ", ".join(f"{grade}: {summary.grades.get(grade, 0)}" for grade in GRADES)),
        (words["samples"], words["samples_value"].format(samples=summary.samples, total=summary.total)),
        (words["measured"], words["measured_value"]),
        (words["freshness"], _number(summary.freshness, words)),
        (words["oxidation"], _number(summary.oxidation, words)),
        (words["when"], f"{_said(summary.first)} / {_said(summary.last)}"),
    ]


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _said(text: str) -> str:
    """A time as a statement has it; what is none stays as it is, for a verifier to stumble over."""
    try:
        return _time(datetime.fromisoformat(text))
    except ValueError:
        return text


def _number(value: float | None, words: dict[str, str]) -> str:
    return words["none"] if value is None else f"{value:.4f}"


def _list(names: list[str], words: dict[str, str]) -> str:
    return ", ".join(names) or words["none"]
