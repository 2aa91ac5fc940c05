// Memory and processor time of a process, from Linux's /proc.
import fs from 'node:fs/promises'

/** MiB: resident, its share of the pages that it has in common with other processes, and the pages that it alone has. */
export type Memory = { rss: number; pss: number; own: number }

/** A process's memory. Linux only; NaN elsewhere, and for a process of another user. */
export async function memoryOf(pid: number): Promise<Memory> {
  const rollup = await fs.readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => '')
  const mebibytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1] ?? Number.NaN) / 1024
  return { rss: mebibytes('Rss'), pss: mebibytes('Pss'), own: mebibytes('Private_Clean') + mebibytes('Private_Dirty') }
}

/** Milliseconds of processor time that a process has used, to the nearest 10. Linux only; NaN elsewhere. */
export async function processorTime(pid: number): Promise<number> {
  const stat = await fs.readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  // The fields after the name, which may hold anything, in parentheses: utime and stime, in hundredths of a second.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11] ?? Number.NaN) + Number(fields[12] ?? Number.NaN)) * 10
}
