import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SystemSettings } from '../../../src/relay/dns/system-lookup.ts';

/** Texts of the system's files, each '' by default. */
export type SystemTexts = {
  readonly hosts?: string;
  readonly resolvConf?: string;
  readonly nsswitch?: string;
  readonly gaiConf?: string;
};

/** Settings of a system whose files are in `folder`, with a getent(1) of the test and without systemd-resolved. */
export function settingsIn(folder: string, texts: SystemTexts = {}, dnsPort = 53): SystemSettings {
  const path = (name: string): string => join(folder, name);
  const settings = {
    hosts: path('hosts'),
    resolvConf: path('resolv.conf'),
    nsswitch: path('nsswitch.conf'),
    gaiConf: path('gai.conf'),
    resolved: path('resolved'),
    getent: path('getent'),
    dnsPort,
  };
  for (const name of ['hosts', 'resolvConf', 'nsswitch', 'gaiConf'] as const) {
    writeFileSync(settings[name], texts[name] ?? '');
  }
  return settings;
}
