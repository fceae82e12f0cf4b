// Loaded into a relay (--import): on SIGUSR2 it prints how many timers are active. They are not visible from outside.
process.on('SIGUSR2', () => {
  const timers = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  process.stdout.write(`${JSON.stringify({ msg: 'timers', timers })}\n`);
});
