// Preloaded into the process of a soak: on SIGUSR2 it collects garbage and writes its memory to standard error.
process.on('SIGUSR2', () => {
  globalThis.gc?.()
  const { rss, heapUsed, external } = process.memoryUsage()
  process.stderr.write(`${JSON.stringify({ rss, heapUsed, external })}\n`)
})
