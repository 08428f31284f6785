/** Calls that change something, or hand over a file: asked for once by a person, never repeated by themselves. */
import { useState } from 'react';
import { ApiError } from '../api';
import { isFields, ShapeError, type Reader } from '../domain/shape';

const TIMEOUT_MS = 30_000;

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH';

/** `field: reason` of a refusal, or its sentence. */
async function refusal(response: Response): Promise<string> {
  const body: unknown = await response.json().catch(() => null);
  if (!isFields(body)) return `HTTP ${response.status}`;
  const errors = Array.isArray(body['errors']) ? body['errors'].filter(isFields) : [];
  const named = errors.flatMap(({ path, reason }) =>
    typeof path === 'string' && typeof reason === 'string' ? [`${path.replace(/^\$\.?/, '')}: ${reason}`] : [],
  );
  if (named.length > 0) return named.join('; ');
  return typeof body['detail'] === 'string' ? body['detail'] : `HTTP ${response.status}`;
}

async function answered(method: Method, path: string, body?: unknown): Promise<Response> {
  const headers = { Accept: '*/*', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) };
  const given = body === undefined ? {} : { body: JSON.stringify(body) };
  let response: Response;
  try {
    response = await fetch(path, { method, headers, signal: AbortSignal.timeout(TIMEOUT_MS), ...given });
  } catch (error) {
    throw new ApiError(path, 0, error instanceof Error ? error.message : String(error));
  }
  if (!response.ok) throw new ApiError(path, response.status, await refusal(response));
  return response;
}

/** Sends `body` and reads the answer. Throws ApiError with the reason as the server gave it. */
export async function send<T>(method: Method, path: string, body: unknown, read: Reader<T>): Promise<T> {
  const response = await answered(method, path, body);
  const value: unknown = response.status === 204 ? null : await response.json();
  try {
    return read(value, 'answer');
  } catch (error) {
    if (error instanceof ShapeError) throw new ApiError(path, response.status, error.message);
    throw error;
  }
}

/** A text document, such as a certificate's page. */
export const document = async (path: string): Promise<string> => (await answered('GET', path)).text();

/** Fetches a file and hands it to the browser under `name`; a refusal can be shown, which a plain link could not. */
export async function download(path: string, name: string): Promise<void> {
  const address = URL.createObjectURL(await (await answered('GET', path)).blob());
  const link = window.document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}

export interface Action {
  readonly isBusy: boolean;
  readonly reason: string | null;
  readonly isDone: boolean;
  readonly run: (work: () => Promise<unknown>) => void;
  readonly reset: () => void;
}

const IDLE = { isBusy: false, reason: null, isDone: false } as const;

/** One thing that a button does: under way, done, or refused with a reason. */
export function useAction(): Action {
  const [state, setState] = useState<{ isBusy: boolean; reason: string | null; isDone: boolean }>(IDLE);
  return {
    ...state,
    reset: () => {
      setState(IDLE);
    },
    run: (work) => {
      setState({ ...IDLE, isBusy: true });
      work().then(
        () => {
          setState({ ...IDLE, isDone: true });
        },
        (error: unknown) => {
          setState({ ...IDLE, reason: error instanceof ApiError ? error.reason : String(error) });
        },
      );
    },
  };
}
