/** What a person can ask a device to do, with its live answer, and in the demo the faults that it can play. */
import { useState } from 'react';
import { Panel } from '../../components/Page';
import { Select } from '../../components/Select';
import { useCommand } from '../../data/commands';
import { useTexts } from '../../i18n';
import { may, useSession } from '../../stores/session';
import { Answer } from './Answer';

type Plain = 'self-test' | 'identify' | 'challenge-test' | 'restart-tof' | 'restart-spectral';

const ASKED: Readonly<Record<Plain, readonly [string, Readonly<Record<string, unknown>>]>> = {
  'self-test': ['self-test', {}],
  identify: ['identify', { seconds: 10 }],
  'challenge-test': ['challenge-test', { tile_in_place: true }],
  'restart-tof': ['restart-sensor', { chip: 'VL53L8CH' }],
  'restart-spectral': ['restart-sensor', { chip: 'AS7341' }],
};

export function Commands({ deviceId }: { readonly deviceId: string }) {
  const { t } = useTexts();
  const me = useSession((state) => state.me);
  const command = useCommand(deviceId);
  const [plain, setPlain] = useState<Plain>('self-test');
  const words = t.devicePage.commands;
  if (!may(me, 'operator')) {
    return (
      <Panel title={t.devicePage.command}>
        <p className="quiet">{t.access.needs(t.access.roles.operator)}</p>
      </Panel>
    );
  }
  return (
    <Panel title={t.devicePage.command}>
      <div className="actions">
        <Select
          label={t.devicePage.what}
          testId="command"
          value={plain}
          onChange={setPlain}
          choices={(Object.keys(ASKED) as Plain[]).map((value) => ({ value, label: words[value].name }))}
        />
        <button
          type="button"
          className="button is-main"
          data-testid="run-command"
          disabled={command.isUnderWay}
          onClick={() => {
            const [name, args] = ASKED[plain];
            void command.run(name, args);
          }}
        >
          {command.isUnderWay ? t.act.busy : t.devicePage.ask}
        </button>
      </div>
      <p className="quiet">{words[plain].help}</p>
      <Answer command={command} />
    </Panel>
  );
}

type Fault = keyof ReturnType<typeof useTexts>['t']['sensors']['plays'];

/** Only a device of the demo has a stage. */
export function Stage({ deviceId }: { readonly deviceId: string }) {
  const { t } = useTexts();
  const command = useCommand(deviceId);
  const faults = Object.keys(t.sensors.plays) as Fault[];
  const [fault, setFault] = useState<Fault>('dirty-window');
  const [seconds, setSeconds] = useState<'12' | '30' | '60'>('30');
  return (
    <Panel title={t.devicePage.stage}>
      <p className="quiet">{t.devicePage.stageHelp}</p>
      <div className="actions">
        <Select
          label={t.devicePage.fault}
          testId="fault"
          value={fault}
          onChange={setFault}
          choices={faults.map((value) => ({ value, label: t.sensors.plays[value] }))}
        />
        <Select
          label={t.devicePage.duration}
          value={seconds}
          onChange={setSeconds}
          choices={(['12', '30', '60'] as const).map((value) => ({ value, label: `${value} s` }))}
        />
        <button
          type="button"
          className="button"
          data-testid="play-fault"
          disabled={command.isUnderWay}
          onClick={() => void command.run('play-fault', { fault, for_s: Number(seconds) })}
        >
          {t.devicePage.play}
        </button>
        <button
          type="button"
          className="button"
          data-testid="end-faults"
          disabled={command.isUnderWay}
          onClick={() => void command.run('play-fault', { fault: 'none' })}
        >
          {t.devicePage.endFaults}
        </button>
      </div>
      <Answer command={command} />
    </Panel>
  );
}
