/** Commands to devices: sent once, followed until the device has answered or its time is over. */
import { useEffect, useRef, useState } from 'react';
import { ApiError, call } from '../api';
import { commandState, isOver, type CommandState } from '../domain/device-records';
import { fields, text } from '../domain/shape';
import { send } from './actions';

const LOOK_EVERY_MS = 400;

export interface Command {
  readonly state: CommandState | null;
  readonly isUnderWay: boolean;
  readonly reason: string | null;
  readonly run: (name: string, args?: Readonly<Record<string, unknown>>) => Promise<CommandState | null>;
}

const later = (ms: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, ms);
  });

/** One command of a device at a time; its newest state. The page that leaves stops asking; the device goes on. */
export function useCommand(deviceId: string): Command {
  const [state, setState] = useState<CommandState | null>(null);
  const [isUnderWay, setUnderWay] = useState(false);
  const [reason, setReason] = useState<string | null>(null);
  const isHere = useRef(true);
  useEffect(() => {
    isHere.current = true;
    return () => {
      isHere.current = false;
    };
  }, []);
  const run = async (name: string, args: Readonly<Record<string, unknown>> = {}): Promise<CommandState | null> => {
    const base = `/api/sqal/devices/${encodeURIComponent(deviceId)}/commands`;
    setState(null);
    setReason(null);
    setUnderWay(true);
    try {
      const request = await send('POST', base, { name, args }, (value, path) => text(fields(value, path)['request'], path));
      for (;;) {
        const { value } = await call(`${base}/${request}`, commandState);
        if (!isHere.current) return null;
        setState(value);
        if (isOver(value.progress)) return value;
        await later(LOOK_EVERY_MS);
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setReason(error.reason);
      return null;
    } finally {
      setUnderWay(false);
    }
  };
  return { state, isUnderWay, reason, run };
}
