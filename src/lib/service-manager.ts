/**
 * Reports to systemd, if it started this process with `Type=notify`, that this process serves and is the main one of its
 * service. Source: sd_notify(3).
 *
 * @throws Error if systemd-notify cannot be run or fails; systemd then stops the service after its start timeout.
 */
export async function reportReady(env: Readonly<Record<string, string | undefined>>): Promise<void> {
  if (env['NOTIFY_SOCKET'] === undefined) return;
  // Node.js has no datagram sockets in the file system, and systemd-notify comes with systemd.
  const { execFile } = await import('node:child_process');
  const { promise, resolve, reject } = Promise.withResolvers<undefined>();
  execFile('systemd-notify', ['READY=1', `MAINPID=${String(process.pid)}`], (error) => {
    if (error === null) resolve(undefined);
    else reject(error);
  });
  await promise;
}
