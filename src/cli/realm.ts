#!/usr/bin/env node
import './require-node.ts';
import { runRelay } from '../relay/main.ts';
import { runProgram } from '../telemetry/program.ts';
import { processIo } from './process-io.ts';

// The relay program under the name of Realm's: `realm -c FILE`.
await runProgram(() => {
  const { stdout, stderr, signals } = processIo('relay');
  return runRelay(process.argv.slice(2), { stdout, stderr, signals, env: process.env });
});
