/** What the administrator's pages read. */
import { fields, flag, identifier, instant, isFields, listOf, nonNegative, oneOf, optional, text, type Reader } from './shape';
import { SEVERITIES, type Severity } from './types';

const ROLES = ['viewer', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];

export interface UserRecord {
  readonly name: string;
  readonly role: Role;
  readonly sites: readonly string[] | null;
  readonly isActive: boolean;
  readonly hasPassword: boolean;
}

export const user: Reader<UserRecord> = (value, path) => {
  const row = fields(value, path);
  return {
    name: text(row['name'], `${path}.name`),
    role: oneOf(ROLES)(row['role'], `${path}.role`),
    sites: optional(listOf(text))(row['sites'], `${path}.sites`),
    isActive: flag(row['is_active'], `${path}.is_active`),
    hasPassword: flag(row['has_password'], `${path}.has_password`),
  };
};

export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly sites: readonly string[] | null;
  readonly by: string;
  readonly endsMs: number;
  readonly isRevoked: boolean;
  /** Only in the answer that made it. */
  readonly secret: string | null;
}

export const token: Reader<TokenRecord> = (value, path) => {
  const row = fields(value, path);
  return {
    id: identifier(row['token_id'], `${path}.token_id`),
    name: text(row['name'], `${path}.name`),
    role: oneOf(ROLES)(row['role'], `${path}.role`),
    sites: optional(listOf(text))(row['sites'], `${path}.sites`),
    by: text(row['created_by'], `${path}.created_by`),
    endsMs: instant(row['expires_at'], `${path}.expires_at`),
    isRevoked: optional(text)(row['revoked_at'], `${path}.revoked_at`) !== null,
    secret: optional(text)(row['secret'], `${path}.secret`),
  };
};

export interface AuditLine {
  readonly id: number;
  readonly atMs: number;
  readonly outcome: string;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly status: number | null;
}

const auditLine: Reader<AuditLine> = (value, path) => {
  const row = fields(value, path);
  return {
    id: nonNegative(row['audit_id'], `${path}.audit_id`),
    atMs: instant(row['at'] ?? row['time'], `${path}.at`),
    outcome: text(row['outcome'], `${path}.outcome`),
    actor: text(row['actor'], `${path}.actor`),
    action: text(row['action'], `${path}.action`),
    target: text(row['target'], `${path}.target`),
    status: optional(nonNegative)(row['status'], `${path}.status`),
  };
};

export interface AuditPage {
  readonly lines: readonly AuditLine[];
  readonly next: number | null;
}

export const auditPage: Reader<AuditPage> = (value, path) => {
  const source = fields(value, path);
  return {
    lines: listOf(auditLine)(source['audit'], `${path}.audit`),
    next: optional(nonNegative)(source['next'], `${path}.next`),
  };
};

export interface RecipeEntry {
  readonly label: string;
  readonly name: string;
  readonly version: number;
  readonly comment: string;
  readonly by: string | null;
  readonly atMs: number | null;
}

export const recipeEntry: Reader<RecipeEntry> = (value, path) => {
  const row = fields(value, path);
  return {
    label: text(row['label'], `${path}.label`),
    name: text(row['name'], `${path}.name`),
    version: nonNegative(row['version'], `${path}.version`),
    comment: optional(text)(row['comment'] === '' ? null : row['comment'], `${path}.comment`) ?? '',
    by: optional(text)(row['created_by'], `${path}.created_by`),
    atMs: optional(instant)(row['created_at'], `${path}.created_at`),
  };
};

/** The values of a recipe as the text that a person edits. */
export const recipeText: Reader<string> = (value, path) => {
  const { version: _, ...values } = fields(fields(value, path)['values'], `${path}.values`);
  return JSON.stringify(values, null, 2);
};

export interface RecipeChange {
  readonly path: string;
  readonly before: string;
  readonly after: string;
}

const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

export const recipeChanges: Reader<readonly RecipeChange[]> = (value, path) =>
  listOf((each, at) => {
    const row = fields(each, at);
    return { path: text(row['path'], `${at}.path`), before: shown(row['before']), after: shown(row['after']) };
  })(fields(value, path)['changes'], `${path}.changes`);

export interface RecipeInUse {
  readonly deviceId: string;
  readonly siteCode: string;
  readonly wanted: string;
  readonly measuredWith: string | null;
  readonly agrees: boolean | null;
}

export interface Activation {
  readonly id: number;
  readonly label: string;
  readonly where: string | null;
  readonly reason: string;
  readonly by: string;
  readonly atMs: number;
}

export interface Activations {
  readonly inUse: readonly RecipeInUse[];
  readonly list: readonly Activation[];
}

const inUse: Reader<RecipeInUse> = (value, path) => {
  const row = fields(value, path);
  return {
    deviceId: text(row['device_id'], `${path}.device_id`),
    siteCode: text(row['site_code'], `${path}.site_code`),
    wanted: text(row['wanted'], `${path}.wanted`),
    measuredWith: optional(text)(row['measured_with'], `${path}.measured_with`),
    agrees: optional(flag)(row['agrees'], `${path}.agrees`),
  };
};

const activation: Reader<Activation> = (value, path) => {
  const row = fields(value, path);
  const name = optional(text)(row['label'], `${path}.label`) ?? `${shown(row['name'])}@${shown(row['version'])}`;
  return {
    id: nonNegative(row['activation_id'], `${path}.activation_id`),
    label: name,
    where: optional(text)(row['device_id'] ?? row['site_code'], `${path}.device_id`),
    reason: text(row['reason'], `${path}.reason`),
    by: text(row['activated_by'], `${path}.activated_by`),
    atMs: instant(row['activated_at'], `${path}.activated_at`),
  };
};

export const activations: Reader<Activations> = (value, path) => {
  const source = fields(value, path);
  return {
    inUse: listOf(inUse)(source['in_use'], `${path}.in_use`),
    list: listOf(activation)(source['activations'], `${path}.activations`),
  };
};

export const toldDevices: Reader<readonly string[]> = (value, path) => listOf(text)(fields(value, path)['devices'], `${path}.devices`);

export interface ChannelRecord {
  readonly name: string;
  readonly kind: string;
  readonly target: string;
  readonly least: Severity;
  readonly isActive: boolean;
}

export const channels: Reader<readonly ChannelRecord[]> = listOf((value, path) => {
  const row = fields(value, path);
  return {
    name: text(row['name'], `${path}.name`),
    kind: text(row['kind'], `${path}.kind`),
    target: text(row['target'], `${path}.target`),
    least: oneOf(SEVERITIES)(row['min_severity'], `${path}.min_severity`),
    isActive: flag(row['is_active'], `${path}.is_active`),
  };
});

export interface Notice {
  readonly id: number;
  readonly channel: string;
  readonly state: string;
  readonly error: string | null;
  readonly atMs: number;
}

export const notices: Reader<readonly Notice[]> = listOf((value, path) => {
  const row = fields(value, path);
  return {
    id: nonNegative(row['notification_id'], `${path}.notification_id`),
    channel: text(row['channel'], `${path}.channel`),
    state: text(row['state'], `${path}.state`),
    error: typeof row['last_error'] === 'string' && row['last_error'] !== '' ? row['last_error'] : null,
    atMs: instant(row['created_at'], `${path}.created_at`),
  };
});

export const sent: Reader<boolean> = (value) => isFields(value);
