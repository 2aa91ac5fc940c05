// Preloaded into a process that soaks: on SIGUSR2 it collects its garbage and says what is left.
process.on('SIGUSR2', () => {
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  process.stderr.write(`${JSON.stringify({ rss, heapUsed, external })}\n`)
})
