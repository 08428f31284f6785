"""Words for codes, in French and English. Codes and numbers are what is stored; the words may change at any time."""

from collections.abc import Mapping
from typing import Literal

from quality.errors import require

Language = Literal["fr", "en"]

# Alerts and reasons share the code where they mean the same.
_ALERTS: dict[str, tuple[str, str]] = {
    "quality_critical": (
        "Score qualité critique : {value} (limite {limit})",
        "Critical quality score: {value} (limit {limit})",
    ),
    "quality_low": ("Score qualité faible : {value} (limite {limit})", "Low quality score: {value} (limit {limit})"),
    "grade_reject": ("Produit rejeté : score {value}", "Product rejected: score {value}"),
    "oxidation_high": (
        "Oxydation des pigments élevée : {value} (limite {limit})",
        "High pigment oxidation: {value} (limit {limit})",
    ),
    "freshness_low": (
        "Indice de fraîcheur faible : {value} (limite {limit})",
        "Low freshness index: {value} (limit {limit})",
    ),
}
_REASONS: dict[str, tuple[str, str]] = {
    "grade": ("Grade {grade} : score {score}, limite {limit}", "Grade {grade}: score {score}, limit {limit}"),
    "surface_uniformity_low": (
        "Surface irrégulière : uniformité {value} (attendu {limit})",
        "Uneven surface: uniformity {value} (expected {limit})",
    ),
    "fat_quality_low": (
        "Clarté et diffusion faibles : indice {value} (attendu {limit})",
        "Low lightness and scatter: index {value} (expected {limit})",
    ),
    "volume_below_range": (
        "Volume trop petit : {value} cm³ (minimum {limit} cm³)",
        "Volume too small: {value} cm³ (minimum {limit} cm³)",
    ),
    "volume_above_range": (
        "Volume trop grand : {value} cm³ (maximum {limit} cm³)",
        "Volume too large: {value} cm³ (maximum {limit} cm³)",
    ),
    "near_limit": (
        "Proche du grade {grade} (limite {limit}) ; probabilité du grade {probability}",
        "Close to grade {grade} (limit {limit}); probability of the grade {probability}",
    ),
    "guard_band": (
        "Conformité trop peu sûre : probabilité {probability} (exigée {limit})",
        "Compliance not sure enough: probability {probability} (required {limit})",
    ),
    "belt_shifted": ("Tapis déplacé depuis l'étalonnage", "Belt moved since calibration"),
    "surface_unjudged": ("Surface trop petite pour être jugée", "Surface too small to be judged"),
    "zones_filled": (
        "Zones sans mesure complétées par leurs voisines",
        "Zones without a reading filled from neighbours",
    ),
    "moved_between_halves": (
        "Produit en mouvement pendant la mesure spectrale",
        "Product moved during the spectral measurement",
    ),
    "settings_differ": (
        "Réglages du capteur spectral différents de l'étalonnage",
        "Spectral sensor settings differ from the calibration",
    ),
    "tof_calibration_expired": (
        "Étalonnage du capteur de hauteur périmé : incertitude élargie",
        "Height calibration expired: uncertainty widened",
    ),
    "spectral_calibration_expired": (
        "Étalonnage du blanc périmé : incertitude élargie",
        "White calibration expired: uncertainty widened",
    ),
    "flicker": ("Lumière du hall papillotante pendant la mesure", "Flickering hall light during the measurement"),
    "nir_laser": (
        "Proche infrarouge éclairé par le laser : rapports non calculés",
        "Near infrared lit by the laser: ratios not computed",
    ),
    "nir_polluted": (
        "Proche infrarouge éclairé par une autre source : rapports non calculés",
        "Near infrared lit by another source: ratios not computed",
    ),
    "belt_speed_unsure": (
        "Vitesse du tapis mal connue : incertitude élargie",
        "Belt speed poorly known: uncertainty widened",
    ),
    "calibration_expired_tof": ("Étalonnage du capteur de hauteur périmé", "Height calibration expired"),
    "calibration_expired_spectral": ("Étalonnage du capteur spectral périmé", "Spectral calibration expired"),
    "haem_unseen": ("Trop peu de sang visible pour juger l'oxydation", "Too little visible blood to judge oxidation"),
    "unexplained": ("Spectre mal expliqué par les pigments connus", "Spectrum poorly explained by the known pigments"),
}
_UNGRADED: dict[str, tuple[str, str]] = {
    "tof_invalid": ("Non classé : image de hauteur non valide", "Not graded: height picture not valid"),
    "no_product": ("Tapis vide", "Empty belt"),
    "out_of_view": ("Non classé : produit hors du champ de vision", "Not graded: product out of the field of view"),
    "off_centre": ("Non classé : produit à côté de l'éclairage", "Not graded: product beside the light"),
    "several_products": ("Non classé : plusieurs produits à la fois", "Not graded: several products at once"),
    "spectral_saturated": ("Non classé : capteur spectral saturé", "Not graded: spectral sensor saturated"),
    "spectral_glare": ("Non classé : reflet plus clair que le blanc", "Not graded: glare brighter than white"),
    "spectral_fault": ("Non classé : capteur spectral en défaut", "Not graded: spectral sensor faulty"),
    "spectral_low_light": ("Non classé : lumière insuffisante", "Not graded: not enough light"),
    "cut_at_start": (
        "Non classé : produit déjà sous les capteurs au démarrage",
        "Not graded: product was under the sensors already at the start",
    ),
    "frames_missed": (
        "Non classé : trop d'images manquantes pendant le passage",
        "Not graded: too many pictures missing from the pass",
    ),
    "window_dirty": (
        "Non classé : fenêtre sale ou tapis assombri",
        "Not graded: dirty window, or darkened belt",
    ),
}
# What is wrong with a sensor: `chip` is its name. The codes are those of the device's events.
_SENSORS: dict[str, tuple[str, str]] = {
    "sensor_absent": ("{chip} ne répond pas", "the {chip} does not answer"),
    "sensor_wrong_chip": ("une autre puce répond à la place ({chip})", "another chip answers in place of the {chip}"),
    "sensor_stuck_bus": ("bus bloqué ({chip})", "the bus of the {chip} is held"),
    "sensor_bus": ("le bus transmet mal ({chip})", "the bus of the {chip} carries badly"),
    "sensor_brown_out": ("alimentation coupée un instant ({chip})", "the supply of the {chip} broke down"),
    "sensor_laser": ("la sécurité laser a déclenché ({chip})", "the laser safety of the {chip} has tripped"),
    "sensor_firmware": ("{chip} n'accepte pas son programme", "the {chip} does not take its firmware"),
    "sensor_chip": ("{chip} signale une erreur interne", "the {chip} reports an internal error"),
    "sensor_stale": ("{chip} n'envoie plus d'images", "the {chip} sends no new frames"),
    "sensor_corrupt": ("les données arrivent altérées ({chip})", "the data of the {chip} arrive damaged"),
    "sensor_frozen": ("{chip} répète toujours la même mesure", "the {chip} repeats the same reading"),
    "sensor_setting": ("réglage impossible ({chip})", "a setting that the {chip} cannot take"),
    "sensor_slow_bus": ("bus trop lent ({chip})", "the bus of the {chip} is too slow"),
    "sensor_glare": ("lumière extérieure trop forte ({chip})", "light from outside dazzles the {chip}"),
    "sensor_no_light": ("{chip} ne reçoit pas de lumière", "the {chip} gets no light"),
    "sensor_dirty_window": (
        "fenêtre sale ou tapis assombri ({chip})",
        "the window of the {chip} is dirty, or the belt has darkened",
    ),
}
SENSOR_CODES, UNGRADED_CODES = frozenset(_SENSORS), frozenset(_UNGRADED)
TEXTS = _ALERTS | _REASONS | _UNGRADED | _SENSORS


def text(code: str, parameters: Mapping[str, float | str], language: Language = "fr") -> str:
    """Return the sentence for a code. Numbers have two decimals at most, and a decimal comma in French.

    Raises QualityError for an unknown code or a parameter that the sentence needs and does not get.
    """
    require(code in TEXTS, "code", f"unknown: {code}")
    template = TEXTS[code][0 if language == "fr" else 1]
    words = {name: _number(value, language) for name, value in parameters.items()}
    try:
        return template.format_map(words)
    except KeyError as missing:
        require(False, "parameters", f"{code} needs {missing}")
        raise


def _number(value: float | str, language: Language) -> str:
    if isinstance(value, str):
        return value
    shown = f"{value:.2f}" if abs(value) < 10.0 else f"{value:.0f}"
    return shown.replace(".", ",") if language == "fr" else shown
