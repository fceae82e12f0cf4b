/** A command: a file, and the arguments after it. */
export type OwnCommand = { readonly file: string; readonly args: readonly string[] };

/**
 * The command that starts another process of this program with the same arguments. It names the file as the caller did:
 * a package manager may have replaced that file since, and the new one then runs.
 */
export function ownCommand(): OwnCommand {
  const { argv, argv0, execArgv, execPath } = process;
  const file = argv0.includes('/') ? argv0 : execPath; // a bare word may mean another program elsewhere on PATH
  // a single executable brings its own execArgv, and repeats its path where a script's would be
  return isSingleExecutable()
    ? { file, args: argv.slice(2) }
    : { file, args: [...execArgv, ...argv.slice(1)] };
}

/** Whether this program and its Node.js are one file. */
export function isSingleExecutable(): boolean {
  return process.getBuiltinModule('node:sea').isSea();
}
