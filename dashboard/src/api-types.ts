// Types of the API. Made from its description by `make types`: change the server, then run that.
/* eslint-disable */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** What was put on record; the next checkpoint seals it. */
export type Accepted = { success: boolean; events: number; hashes: string[]; timestamp: string };

/** Who acknowledged first, and when. */
export type Acknowledged = { success: true; alert_id: number; acknowledged_by: string; acknowledged_at: string };

/** What was put on record, and the devices that are told. */
export type Activated = { activation_id: number; label: string; devices: string[] };

/** Where a recipe is to be used: everywhere, at a site, or on a device; and why. */
export type Activation = { reason: string; site_code?: string | null; device_id?: string | null };

/** A page of the record, newest first; `in_use`: each device's recipe as wanted, and as its newest sample says. */
export type Activations = { activations: Record<string, Json>[]; in_use: Record<string, Json>[]; next: number | null };

/** The process answers. */
export type Alive = { alive?: boolean };

/** A page of the record. */
export type AuditPage = { audit: Record<string, Json>[]; next: number | null };

/** `meta`: what a device is, sent at every connect and retained. */
export type BirthCertificate = { device_id: string; session: string; boot_id: string; timestamp: string; agent: string; sensors?: SensorInfo[]; calibration?: CalibrationIds | null; recipe?: string | null; capabilities?: string[]; clock?: ClockQuality | null; site_code?: string | null; line?: string | null; schema?: number };

/** One calibration with all its values, as the analysis takes them. */
export type CalibrationDetail = { calibration: CalibrationEntry; values: Record<string, Json> };

/** One calibration without its values. */
export type CalibrationEntry = { device_id: string; calibration_id: string; sensor: string; procedure: string; measured_at: string; valid_until: string | null; status: "expired" | "superseded" | "valid"; days_left: number | null; drift: Drift[]; drifted: string[]; conditions: Record<string, Json>; based_on: string | null; made_by: string | null; site_code: string | null; line: string | null; ingested_at: string };

/** Which calibrations the analysis used. */
export type CalibrationIds = { tof?: string | null; spectral?: string | null };

/** A page of calibrations, newest first; `next` is the `before` of the page after it, null on the last. */
export type Calibrations = { calibrations: CalibrationEntry[]; next: string | null };

/** Cp and Cpk from short-term sigma (moving range), Pp and Ppk from overall; with limits at the given confidence. */
export type Capability = { cp: number | null; cp_low: number | null; cp_high: number | null; cpk: number; cpk_low: number; cpk_high: number; pp: number | null; ppk: number; n: number; stable: boolean };

/** Cp, Cpk, Pp, Ppk with their confidence limits; `capability.stable` says whether they are worth anything. */
export type CapabilityAnswer = { index: string; device_id: string | null; start: string; end: string; lower: number | null; upper: number | null; confidence: number; mean: number; capability: Capability; is_truncated: boolean };

/** A page of the log, newest first. */
export type Challenges = { challenges: Record<string, Json>[]; next: number | null };

/** A field in which two recipes differ. */
export type Change = { path: string; before: Json; after: Json };

/** Where alerts are told: addresses separated by commas, an https URL, or an MQTT topic. No sites: all. */
export type Channel = { kind: "email" | "mqtt" | "webhook"; target: string; min_severity?: "critical" | "info" | "warning"; sites?: string[] | null; is_active?: boolean };

/** How far the sender's wall clock can be trusted; `error_ms` bounds its error where that is known. */
export type ClockQuality = { state: "synced" | "unset"; error_ms?: number | null };

/** How far a command is. status, message, result: the device's own, 0 while it has said nothing. */
export type CommandState = { request: string; device_id: string; progress: "begun" | "done" | "failed" | "refused" | "sent" | "unanswered"; status?: number; message?: string; result?: Record<string, Json> };

/** A control chart. bucket_s: the span of each point's mean; null where each point is a piece or sample. */
export type ControlChart = { index: string; kind: string; device_id: string | null; start: string; end: string; centre: number; lower: number; upper: number; sigma: number; points: Point[]; violations: number; samples: number; aggregated: boolean; bucket_s: number | null };

/** The last 24 hours in sum. */
export type Day = { total_samples: number; avg_quality_score: number | null; compliance_rate_pct: number | null };

/** A page of dead letters; `next` is the `before` of the page after it, null on the last. `counts` is of all. */
export type DeadLetters = { dead_letters: Record<string, Json>[]; next: number | null; counts: Record<string, Json>[] };

/** What holds now. */
export type Decided = { lot_id: number; is_held: boolean; decided_at: string };

/** Why, and who decides. */
export type Decision = { reason: string; person: string };

/** What to change; what is absent stays. A device that moves takes new topics: write the access list anew. */
export type DeviceChange = { site_code?: string | null; line?: string | null; device_name?: string | null; firmware_version?: string | null; status?: "active" | "error" | "inactive" | "maintenance" | null; config_profile?: string | null; location?: string | null };

/** The last 24 hours of one device; averages are null where there was no sample. */
export type DeviceDay = { total_samples: number; avg_quality_score: number | null; compliance_rate_pct: number | null; grade_distribution: GradeCounts };

/** A device, its newest sample, its hours, and its last 24 hours in sum. */
export type DeviceDetail = { device: Record<string, Json>; latest_sample: Record<string, Json> | null; hourly_stats: Record<string, Json>[]; stats_24h: DeviceDay };

/** Devices by id. */
export type Devices = { devices: Record<string, Json>[]; total: number };

/** What differs between two versions. */
export type Differences = { before: string; after: string; changes: Change[] };

/** A figure that moved since the calibration before: `limit` is how far it may; the unit is the figure's own. */
export type Drift = { figure: string; before: number; after: number; limit: number };

/** For each device and piece: when it was passed last and must be again; `overdue` counts those that are late. */
export type Due = { due: Record<string, Json>[]; overdue: number };

/** A page of events. */
export type Events = { events: Record<string, Json>[]; next: string | null };

/** A figure of a reference piece in its own unit, and by how much a reading's mean may differ. */
export type ExpectedFigure = { value: number; tolerance: number };

/** One field at fault: `path` as the sender wrote it, `reason` a sentence. */
export type FieldError = { path: string; reason: string };

/** Devices by id, each with what it last said; who never said anything is not in it. */
export type FleetList = { devices: Said[] };

/** The study, as `quality.gage.GageStudy` has it. */
export type GageAnswer = { index: string; parts: number; appraisers: number; trials: number; study: Record<string, Json> };

/** One reading of a part by an appraiser (a person who lays the piece, or a device): a value, or a sample's id. */
export type GageReading = { part: string; appraiser: string; value?: number | null; sample_id?: string | null };

/** A crossed study: every part read equally often by every appraiser. tolerance: width of the specification. */
export type GageRequest = { readings: GageReading[]; index?: "a_star" | "b_star" | "belt_distance_mm" | "delta_e" | "fat_quality_index" | "final_score" | "footprint_mm2" | "freshness_index" | "haem_mm" | "length_mm" | "lightness" | "mass_g" | "methaem_fraction" | "oxidation_index" | "roughness_mm" | "spectral_score" | "surface_uniformity" | "thickness_mm" | "tof_score" | "volume_mm3" | "width_mm" | "yellow_mm"; tolerance?: number | null };

/** A page of gaps. */
export type Gaps = { gaps: Record<string, Json>[]; next: string | null };

/** How many samples have each grade. */
export type GradeCounts = { "A+": number; A: number; B: number; C: number; REJECT: number };

/** Grades of a period in counts and percent. */
export type GradeDistribution = { distribution: GradeCounts; total: number; percentages: GradeShares; period: Period };

/** The share of each grade in percent. */
export type GradeShares = { "A+": number; A: number; B: number; C: number; REJECT: number };

/** How a device is doing; a device is silent when this is silent for three periods. */
export type Health = { device_id: string; boot_id: string; timestamp: string; period_s: number; uptime_s: number; spool_rows: number; spool_bytes: number; disk_free_bytes?: number | null; temperature_c?: number | null; throttled?: string[]; belt_empty_since?: string | null; clock?: ClockQuality | null; counters?: Record<string, number>; schema?: number };

/** One entry of a history. donnees: null once erased; index: its place in the ledger. */
export type HistoryEvent = { index: number; type_evenement: string; timestamp: string; lot_id: number | null; donnees: Record<string, Json> | null; hash: string; block_hash: string | null };

/** Hours, newest first; `truncated` says that the period holds more than `limit`. */
export type HourlyStats = { stats: Record<string, Json>[]; count: number; period: Period; truncated: boolean };

/** Begin the history of animals. */
export type Init = { canard_ids: (string | number)[]; gaveur_id?: number | string | null; description?: string };

/** Figures of all sites together; averages are weighted by samples. */
export type Kpis = { total_sites: number; total_devices: number; total_lots: number; total_samples: number; avg_quality_score: number | null; compliance_rate_pct: number | null; correlation_itm_qualite: number | null; active_alerts: number; period: Period };

/** Alerts as they stand, one each, the most recent first; `truncated`: there are more than `limit`. */
export type LifeCycles = { alerts: Record<string, Json>[]; truncated: boolean };

/** Whether the line works: degraded when the newest sample is older than 5 minutes, error over an hour. */
export type LineHealth = { status: "degraded" | "error" | "ok"; timestamp: string; active_devices: number; last_sample_age_seconds: number | null; database_connected: boolean; broker_connected: boolean; storing: boolean };

/** What a person types. */
export type Login = { name: string; password: string };

/** A lot as it is imported. itm: ITM of the lot. */
export type Lot = { code_lot: string; debut_lot: string; site_code?: string | null; gaveur_id?: number | null; fin_lot?: string | null; nb_canards?: number | null; itm?: number | null; statut?: string | null };

/** A page of pieces; `next` is the `before` of the page after it, null on the last. */
export type LotPieces = { pieces: Record<string, Json>[]; next: string | null };

/** A lot's quality; `lot` is its row in `lots_gavage` and `itm` its ITM, null where it is not there. */
export type LotQuality = { lot_id: number; total_samples: number; avg_quality_score: number | null; compliance_rate_pct: number | null; grade_distribution: GradeCounts; samples: Record<string, Json>[]; lot: Record<string, Json> | null; itm: number | null };

/** One lot in sum, under the names that the customer's other system uses. */
export type LotSummary = { lot_id: number; nb_echantillons: number; score_qualite_moyen: number; grade_majoritaire: string; taux_conformite_pct: number; distribution_grades: GradeCounts; premier_echantillon: string; dernier_echantillon: string; code_lot: string | null; site_code: string | null; itm: number | null };

/** A lot as its breeder sees it. */
export type LotView = { lot_id: number; lot: Record<string, Json>; itm: number | null; total_samples: number; avg_quality_score: number | null; compliance_rate_pct: number | null; grade_distribution: GradeCounts; is_held: boolean; history: HistoryEvent[] };

/** Lots with samples in a period, the latest first. */
export type LotsAggregated = { total_lots: number; lots: LotSummary[] };

/** Who the caller is; `sites` null is every site. */
export type Me = { name: string; role: "admin" | "operator" | "viewer"; sites: string[] | null; scopes: string[] };

/** All models, those in use first. */
export type Models = { models: Record<string, Json>[] };

/** An alert raised by a person or another system. */
export type NewAlert = { device_id: string; alert_type: string; severity: "critical" | "info" | "warning"; message: string; sample_id?: string | null; data_context?: Record<string, Json> };

/** What to do, such as `self-test`, `calibrate`, `restart-sensor`, and with what; the device checks both. */
export type NewCommand = { name: string; args?: Record<string, Json> };

/** A device to be; its certificate is a matter of `sqal pki device`. */
export type NewDevice = { device_id: string; site_code: string; line?: string; device_name?: string | null; firmware_version?: string | null; status?: "active" | "error" | "inactive" | "maintenance"; config_profile?: string | null; location?: string | null };

/** Something that happened to an animal; `lot_id` binds it to a lot. */
export type NewEvent = { type_evenement: string; donnees?: Record<string, Json>; lot_id?: number | null };

/** A model to be registered. model_type: what it is for, such as `grade` or `anomaly`; file_sha256 names the file. */
export type NewModel = { model_name: string; model_type: string; version: string; file_sha256: string; file_path?: string | null; file_bytes?: number | null; framework?: string | null; accuracy?: number | null; precision?: number | null; recall?: number | null; f1_score?: number | null; metrics?: Record<string, number>; hyperparameters?: Record<string, number | string | boolean | null>; training_date?: string | null; description?: string };

/** The values of a recipe (a field left out has its default) and why they are as they are. The server numbers it. */
export type NewRecipe = { values: Record<string, Json>; comment?: string };

/** A reference piece: its id as engraved, its figures by name (`volume_mm3`, …), how often it must be shown. */
export type NewReference = { reference_id: string; figures: Record<string, ExpectedFigure>; every_s: number; valid_until: string; site_code?: string | null; description?: string };

/** A token to be; scopes are those of the role unless given. */
export type NewToken = { name: string; role?: "admin" | "operator" | "viewer"; sites?: string[] | null; scopes?: ("ingest" | "read" | "write")[] | null; days?: number };

/** A user to be; without a password only a login link lets it in. */
export type NewUser = { name: string; role: "admin" | "operator" | "viewer"; password?: string | null; sites?: string[] | null };

/** What a dashboard shows at the top. */
export type Overview = { stats_24h: Day; grade_distribution_7d: GradeCounts; active_alerts: number; critical_alerts: number; total_devices: number; active_devices: number; timestamp: string };

/** A lot that went into this one. share: of the parent, above 0 to 1, where known. */
export type Parent = { parent_lot_id: number; share?: number | null };

/** From `start`, included, to `end`, not included; both UTC. */
export type Period = { start: string; end: string };

/** A point of a chart. value: as measured; drawn: what the chart shows (the average so far, on an EWMA chart). */
export type Point = { time: string; value: number; drawn: number; n: number; sample_id: string | null; rules: number[] };

/** The body of an error answer. */
export type Problem = { title: string; status: number; detail: string; errors?: FieldError[]; type?: string };

/** The number of a test message; its fate is in the log. */
export type Queued = { notification_id: number };

/** The row in the history. */
export type Raised = { alert_id: number };

/** One version, whole. */
export type RecipeDetail = { label: string; values: Record<string, Json>; comment: string; created_by: string | null; created_at: string | null };

/** One version without its values; the one that SQAL ships has no author and no date. */
export type RecipeEntry = { label: string; name: string; version: number; comment: string; created_by: string | null; created_at: string | null };

/** All versions, the newest of each name first; `default` is what devices use that were never told otherwise. */
export type RecipeList = { recipes: RecipeEntry[]; default: string };

/** Reference pieces, those in use first. */
export type References = { references: Record<string, Json>[] };

/** When it was sent again; null where it was tidied away meanwhile. */
export type Replayed = { dead_letter_id: number; replayed_at: string | null };

/** `cfg/reported`: what a device is set to, and for each refused key the reason. */
export type ReportedConfiguration = { revision: number; settings: Record<string, Json>; errors?: Record<string, string>; schema?: number };

/** One device in its own words; what it has not said is None. heard_at: the newest of them, by our clock. */
export type Said = { device_id: string; site_code: string; heard_at: string; state?: string | null; health?: Health | null; birth?: BirthCertificate | null; reported?: ReportedConfiguration | null };

/** Samples of a period, newest first. */
export type Samples = { samples: Record<string, Json>[]; count: number; period: Period };

/** One chip as the agent found it. */
export type SensorInfo = { chip: string; address: string; healthy: boolean; detail?: string };

/** What the device was asked; ask for the answer by `request`. */
export type Sent = { request: string; device_id: string; name: string; expires_at: string };

/** For how long an alert is silenced, and why; at most seven days. */
export type Shelf = { minutes: number; reason: string };

/** The state of a life cycle after a change. */
export type Shelved = { success: true; alert_id: number; alarm_id: string; state: "acknowledged" | "cleared" | "returned_unacknowledged" | "shelved" | "unacknowledged"; shelved_until: string | null };

/** A period in sum, its best devices, and its sites day by day. */
export type SiteStats = { period_start: string; period_end: string; total_samples: number; avg_quality_score: number | null; compliance_rate_pct: number | null; grade_distribution: GradeCounts; top_devices: Record<string, Json>[]; sites: Record<string, Json>[] };

/** A challenge test to be made now. tile_in_place: somebody has laid the piece under the sensors. */
export type Start = { device_id: string; reference_id: string; tile_in_place?: boolean };

/** What the device was asked; its record bears `request` and comes as soon as it has measured. */
export type Started = { request: string; device_id: string; reference_id: string; expires_at: string };

/** Which links behind the live view stand: database (of this server), broker, and an ingester that stores. */
export type StatusPayload = { database_connected: boolean; broker_connected: boolean; storing: boolean };

/** Good for one WebSocket within `expires_in_s`: `?ticket=…`. */
export type Ticket = { ticket: string; expires_in_s?: number };

/** A token; `secret` only in the answer that made it. */
export type Token = { token_id: number; name: string; role: "admin" | "operator" | "viewer"; sites: string[] | null; scopes: string[]; created_by: string; created_at: string; expires_at: string; revoked_at: string | null; secret?: string };

/** All tokens. */
export type Tokens = { tokens: Token[] };

/** What a device shall be set to and what it is set to. */
export type Twin = { device_id: string; agreement: "agrees" | "local" | "refused" | "waiting"; revision: number | null; desired: Record<string, Json>; desired_by: string | null; desired_at: string | null; reported: ReportedConfiguration | null };

/** What a device shall be set to; what is absent stays. rate_hz 0.1 to 15. */
export type TwinChange = { lot_id?: number | null; rate_hz?: number | null; mode?: "belt" | "free" | "timed" | null };

/** A user without secrets. */
export type User = { user_id: number; name: string; role: "admin" | "operator" | "viewer"; sites: string[] | null; is_active: boolean; has_password: boolean; created_at: string };

/** What to change; what is absent stays. `all_sites` lifts the limit to some. */
export type UserChange = { role?: "admin" | "operator" | "viewer" | null; password?: string | null; sites?: string[] | null; all_sites?: boolean; is_active?: boolean | null };

/** All users. */
export type Users = { users: User[] };

/** Whether the ledger is whole, by the keys that it names itself: who wants proof verifies with a key of his own. */
export type Verdict = { valid: boolean; entries: number; checkpoint: string | null; first_error: string | null; expired: number; samples: number };

/** Sites and how many devices stand there. */
export type devices_Sites = { sites: Record<string, Json>[] };

/** Lots by falling ITM. correlation: Pearson's r of ITM and mean score over these lots, null below three lots. */
export type euralis_Lots = { lots: Record<string, Json>[]; total: number; correlation_itm_qualite: number | null };

/** Sites with their figures of a period. */
export type euralis_Sites = { sites: Record<string, Json>[]; total: number; period: Period };

/** Lots to make or bring up to date, by their code. */
export type lot_records_Lots = { lots: Lot[] };

/** What each route takes and answers; `never` where it takes nothing. */
export type Routes = {
  "POST /api/blockchain/canard/{canard_id}": { query: never; body: NewEvent; answer: Accepted };
  "GET /api/blockchain/canard/{canard_id}/certificat": { query: { lang?: "fr" | "en"; format?: "json" | "html" | "pdf" }; body: never; answer: Record<string, Json> | string };
  "GET /api/blockchain/canard/{canard_id}/history": { query: never; body: never; answer: HistoryEvent[] };
  "POST /api/blockchain/init": { query: never; body: Init; answer: Accepted };
  "GET /api/blockchain/verify": { query: never; body: never; answer: Verdict };
  "GET /api/euralis/alertes": { query: { site_code?: string }; body: never; answer: Record<string, Json>[] };
  "GET /api/euralis/dashboard/kpis": { query: { start_time?: string; end_time?: string }; body: never; answer: Kpis };
  "GET /api/euralis/lots": { query: { site_code?: string; min_samples?: number }; body: never; answer: euralis_Lots };
  "GET /api/euralis/lots/{lot_id}": { query: never; body: never; answer: Record<string, Json> };
  "GET /api/euralis/sites": { query: { start_time?: string; end_time?: string }; body: never; answer: euralis_Sites };
  "GET /api/euralis/sites/compare": { query: { start_time?: string; end_time?: string }; body: never; answer: euralis_Sites };
  "GET /api/euralis/sites/{code}": { query: { start_time?: string; end_time?: string }; body: never; answer: Record<string, Json> };
  "GET /api/euralis/sites/{code}/lots": { query: { min_samples?: number }; body: never; answer: euralis_Lots };
  "GET /api/euralis/sites/{code}/stats": { query: { start_time?: string; end_time?: string }; body: never; answer: Record<string, Json> };
  "GET /api/gaveurs/lots/{lot_id}": { query: never; body: never; answer: LotView };
  "GET /api/gaveurs/lots/{lot_id}/certificat": { query: { lang?: "fr" | "en"; format?: "json" | "html" | "pdf" }; body: never; answer: Record<string, Json> | string };
  "GET /api/sqal/alerts": { query: { start_time?: string; end_time?: string; severity?: "info" | "warning" | "critical"; is_acknowledged?: boolean; device_id?: string; site_code?: string; limit?: number }; body: never; answer: Record<string, Json>[] };
  "POST /api/sqal/alerts": { query: never; body: NewAlert; answer: Raised };
  "GET /api/sqal/alerts/states": { query: { start_time?: string; end_time?: string; state?: "unacknowledged" | "acknowledged" | "returned_unacknowledged" | "cleared" | "shelved" | "open"; severity?: "info" | "warning" | "critical"; device_id?: string; site_code?: string; limit?: number }; body: never; answer: LifeCycles };
  "POST /api/sqal/alerts/{alert_id}/acknowledge": { query: { acknowledged_by: string; comment?: string }; body: never; answer: Acknowledged };
  "GET /api/sqal/alerts/{alert_id}/actions": { query: never; body: never; answer: Record<string, Json>[] };
  "POST /api/sqal/alerts/{alert_id}/shelve": { query: never; body: Shelf; answer: Shelved };
  "POST /api/sqal/alerts/{alert_id}/unshelve": { query: { comment?: string }; body: never; answer: Shelved };
  "GET /api/sqal/audit": { query: { before?: number; outcome?: "done" | "denied"; limit?: number }; body: never; answer: AuditPage };
  "GET /api/sqal/calibrations": { query: { before?: string; device_id?: string; site_code?: string; sensor?: "tof" | "spectral"; limit?: number }; body: never; answer: Calibrations };
  "GET /api/sqal/calibrations/{device_id}/{calibration_id}": { query: never; body: never; answer: CalibrationDetail };
  "GET /api/sqal/challenges": { query: { start_time?: string; end_time?: string; before?: number; device_id?: string; site_code?: string; passed?: boolean; limit?: number }; body: never; answer: Challenges };
  "GET /api/sqal/challenges/due": { query: { device_id?: string; site_code?: string }; body: never; answer: Due };
  "GET /api/sqal/challenges/log.csv": { query: { start_time?: string; end_time?: string; device_id?: string; site_code?: string; limit?: number }; body: never; answer: string };
  "POST /api/sqal/challenges/start": { query: never; body: Start; answer: Started };
  "GET /api/sqal/channels": { query: never; body: never; answer: Record<string, Json>[] };
  "GET /api/sqal/channels/log": { query: { before?: number; limit?: number }; body: never; answer: Record<string, Json>[] };
  "GET /api/sqal/channels/log/{notification_id}": { query: never; body: never; answer: Record<string, Json> };
  "PUT /api/sqal/channels/{name}": { query: never; body: Channel; answer: Record<string, Json> };
  "POST /api/sqal/channels/{name}/test": { query: never; body: never; answer: Queued };
  "GET /api/sqal/dashboard/overview": { query: never; body: never; answer: Overview };
  "GET /api/sqal/dead-letters": { query: { before?: number; device_id?: string; reason?: string; limit?: number }; body: never; answer: DeadLetters };
  "GET /api/sqal/dead-letters/{dead_letter_id}": { query: never; body: never; answer: Record<string, Json> };
  "POST /api/sqal/dead-letters/{dead_letter_id}/replay": { query: never; body: never; answer: Replayed };
  "GET /api/sqal/devices": { query: { site_code?: string; status?: string }; body: never; answer: Devices };
  "POST /api/sqal/devices": { query: never; body: NewDevice; answer: Record<string, Json> };
  "GET /api/sqal/devices/{device_id}": { query: never; body: never; answer: DeviceDetail };
  "PATCH /api/sqal/devices/{device_id}": { query: never; body: DeviceChange; answer: Record<string, Json> };
  "POST /api/sqal/devices/{device_id}/commands": { query: never; body: NewCommand; answer: Sent };
  "GET /api/sqal/devices/{device_id}/commands/{command_id}": { query: never; body: never; answer: CommandState };
  "GET /api/sqal/devices/{device_id}/twin": { query: never; body: never; answer: Twin };
  "PUT /api/sqal/devices/{device_id}/twin": { query: never; body: TwinChange; answer: Twin };
  "GET /api/sqal/events": { query: { before?: string; device_id?: string; site_code?: string; kind?: string; limit?: number }; body: never; answer: Events };
  "GET /api/sqal/export/samples.csv": { query: { start_time?: string; end_time?: string; device_id?: string; site_code?: string; limit?: number }; body: never; answer: string };
  "GET /api/sqal/fleet": { query: { site_code?: string }; body: never; answer: FleetList };
  "GET /api/sqal/gaps": { query: { before?: string; device_id?: string; site_code?: string; limit?: number }; body: never; answer: Gaps };
  "GET /api/sqal/health": { query: never; body: never; answer: LineHealth };
  "GET /api/sqal/integration/lot/{lot_id}": { query: never; body: never; answer: LotQuality };
  "GET /api/sqal/integration/lots-aggregated": { query: { start_time?: string; end_time?: string; limit?: number }; body: never; answer: LotsAggregated };
  "GET /api/sqal/ledger/checkpoint": { query: never; body: never; answer: string };
  "GET /api/sqal/ledger/checkpoints": { query: { before?: number; limit?: number }; body: never; answer: Record<string, Json>[] };
  "GET /api/sqal/ledger/consistency": { query: { first: number; second: number }; body: never; answer: Record<string, Json> };
  "GET /api/sqal/ledger/keys": { query: never; body: never; answer: string[] };
  "GET /api/sqal/ledger/proof": { query: { index: number }; body: never; answer: Record<string, Json> };
  "POST /api/sqal/login": { query: never; body: Login; answer: Me };
  "POST /api/sqal/logout": { query: never; body: never; answer: undefined };
  "PUT /api/sqal/lots": { query: never; body: lot_records_Lots; answer: Record<string, Json> };
  "GET /api/sqal/lots/{lot_id}/decisions": { query: never; body: never; answer: Record<string, Json>[] };
  "GET /api/sqal/lots/{lot_id}/genealogy": { query: never; body: never; answer: Record<string, Json> };
  "POST /api/sqal/lots/{lot_id}/hold": { query: never; body: Decision; answer: Decided };
  "POST /api/sqal/lots/{lot_id}/parents": { query: never; body: Parent; answer: Record<string, Json> };
  "GET /api/sqal/lots/{lot_id}/pieces": { query: { before?: string; grade?: "A+" | "A" | "B" | "C" | "REJECT"; limit?: number }; body: never; answer: LotPieces };
  "POST /api/sqal/lots/{lot_id}/release": { query: never; body: Decision; answer: Decided };
  "GET /api/sqal/lots/{lot_id}/report": { query: { format?: "csv" | "pdf" }; body: never; answer: string };
  "GET /api/sqal/me": { query: never; body: never; answer: Me };
  "GET /api/sqal/models": { query: never; body: never; answer: Models };
  "POST /api/sqal/models": { query: never; body: NewModel; answer: Record<string, Json> };
  "GET /api/sqal/models/{model_id}": { query: never; body: never; answer: Record<string, Json> };
  "POST /api/sqal/models/{model_id}/activate": { query: never; body: never; answer: Record<string, Json> };
  "POST /api/sqal/models/{model_id}/retire": { query: never; body: never; answer: Record<string, Json> };
  "GET /api/sqal/reanalysis": { query: { start_time?: string; end_time?: string; recipe: string; device_id?: string; site_code?: string; limit?: number; format?: "json" | "text" | "csv" }; body: never; answer: Record<string, Json> | string };
  "GET /api/sqal/recipes": { query: never; body: never; answer: RecipeList };
  "POST /api/sqal/recipes": { query: never; body: NewRecipe; answer: RecipeDetail };
  "GET /api/sqal/recipes/activations": { query: { before?: number; limit?: number }; body: never; answer: Activations };
  "GET /api/sqal/recipes/{name}/{version}": { query: never; body: never; answer: RecipeDetail };
  "POST /api/sqal/recipes/{name}/{version}/activate": { query: never; body: Activation; answer: Activated };
  "GET /api/sqal/recipes/{name}/{version}/diff": { query: { against?: string }; body: never; answer: Differences };
  "GET /api/sqal/references": { query: never; body: never; answer: References };
  "POST /api/sqal/references": { query: never; body: NewReference; answer: Record<string, Json> };
  "POST /api/sqal/references/{reference_id}/retire": { query: never; body: never; answer: Record<string, Json> };
  "GET /api/sqal/samples": { query: { start_time?: string; end_time?: string; device_id?: string; limit?: number }; body: never; answer: Samples };
  "GET /api/sqal/samples/latest": { query: { device_id?: string }; body: never; answer: Record<string, Json> };
  "GET /api/sqal/samples/{sample_id}": { query: never; body: never; answer: Record<string, Json> };
  "GET /api/sqal/sites": { query: never; body: never; answer: devices_Sites };
  "GET /api/sqal/spc/capability": { query: { start_time?: string; end_time?: string; index?: "final_score" | "tof_score" | "spectral_score" | "volume_mm3" | "mass_g" | "surface_uniformity" | "freshness_index" | "fat_quality_index" | "oxidation_index" | "belt_distance_mm" | "length_mm" | "width_mm" | "thickness_mm" | "footprint_mm2" | "roughness_mm" | "lightness" | "a_star" | "b_star" | "delta_e" | "haem_mm" | "methaem_fraction" | "yellow_mm"; per?: "piece" | "sample"; device_id?: string; site_code?: string; lot_id?: number; lower?: number; upper?: number; confidence?: number }; body: never; answer: CapabilityAnswer };
  "GET /api/sqal/spc/chart": { query: { start_time?: string; end_time?: string; index?: "final_score" | "tof_score" | "spectral_score" | "volume_mm3" | "mass_g" | "surface_uniformity" | "freshness_index" | "fat_quality_index" | "oxidation_index" | "belt_distance_mm" | "length_mm" | "width_mm" | "thickness_mm" | "footprint_mm2" | "roughness_mm" | "lightness" | "a_star" | "b_star" | "delta_e" | "haem_mm" | "methaem_fraction" | "yellow_mm"; kind?: "individuals" | "ewma"; per?: "piece" | "sample"; device_id?: string; site_code?: string; lot_id?: number; weight?: number; centre?: number; sigma?: number }; body: never; answer: ControlChart };
  "POST /api/sqal/spc/gage-rr": { query: never; body: GageRequest; answer: GageAnswer };
  "GET /api/sqal/stats/grade-distribution": { query: { start_time?: string; end_time?: string; site_code?: string }; body: never; answer: GradeDistribution };
  "GET /api/sqal/stats/hourly": { query: { start_time?: string; end_time?: string; device_id?: string; limit?: number }; body: never; answer: HourlyStats };
  "GET /api/sqal/stats/sites": { query: { start_time?: string; end_time?: string; site_code?: string }; body: never; answer: SiteStats };
  "POST /api/sqal/tickets": { query: never; body: never; answer: Ticket };
  "GET /api/sqal/tokens": { query: never; body: never; answer: Tokens };
  "POST /api/sqal/tokens": { query: never; body: NewToken; answer: Token };
  "POST /api/sqal/tokens/{token_id}/revoke": { query: never; body: never; answer: Token };
  "GET /api/sqal/users": { query: never; body: never; answer: Users };
  "POST /api/sqal/users": { query: never; body: NewUser; answer: User };
  "PATCH /api/sqal/users/{name}": { query: never; body: UserChange; answer: User };
  "GET /livez": { query: never; body: never; answer: Alive };
  "GET /metrics": { query: never; body: never; answer: string };
  "GET /readyz": { query: never; body: never; answer: StatusPayload };
};
