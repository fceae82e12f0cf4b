/** The words before a program that let it run in a network namespace of its own, after `commands` of a shell have set that up. */
export function onOwnHost(commands: string): readonly [string, ...string[]] {
  return ['unshare', '--user', '--map-root-user', '--net', 'sh', '-ec', `${commands}; exec "$@"`, 'sh'];
}
