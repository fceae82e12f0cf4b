#!/usr/bin/env node
import { disableInspectorSignal } from '../lib/inspector.ts';
import { runRelay } from '../relay/main.ts';

disableInspectorSignal(process);

// The relay program under the name of Realm's: `realm -c FILE`.
const { stdout, stderr, env } = process;
process.exitCode = await runRelay(process.argv.slice(2), { stdout, stderr, env, signals: process });
