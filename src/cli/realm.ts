#!/usr/bin/env node
import { runRelay } from '../relay/main.ts';

// The relay program under the name of Realm's: `realm -c FILE`.
const { stdout, stderr, env } = process;
process.exitCode = await runRelay(process.argv.slice(2), { stdout, stderr, env, signals: process });
