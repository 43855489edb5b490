// How the servers talk with the bench: one command at a time, each answered once; the end of the bench ends them.

/** `commands`: functions by name. Says at once that the server is ready. */
exports.serve = (commands) => {
  process.on('message', async ({ command, value }) => {
    try {
      process.send({ value: await commands[command](value) })
    } catch (error) {
      process.send({ error: error.stack })
    }
  })
  process.on('disconnect', () => process.exit())
  process.send({ value: 'ready' })
}

/**
 * Calls `run` in turns for `warm` and then for `ms` milliseconds; `count` says how many have arrived.
 * @returns µs of CPU for each.
 */
exports.cpuOfEach = async ({ run, count, batch, warm = 300, ms = 500 }) => {
  const spin = async (ms) => {
    const end = performance.now() + ms
    do {
      for (let i = 0; i < batch; i++) run()
      await new Promise(setImmediate)
    } while (performance.now() < end)
  }
  await spin(warm)
  const cpu = process.cpuUsage()
  const before = count()
  await spin(ms)
  const { user, system } = process.cpuUsage(cpu)
  if (count() === before) throw new Error('no callback was called')
  return (user + system) / (count() - before)
}
