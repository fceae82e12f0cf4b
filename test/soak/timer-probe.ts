// Loaded into a relay (--import): on SIGWINCH, which a relay ignores, it prints how many timers are active. They are not visible from outside.
process.on('SIGWINCH', () => {
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  process.stdout.write(`${JSON.stringify({ msg: 'timers', timers })}\n`);
});
