import { readFile } from 'node:fs/promises'

/** What something cost. `sideBySideS`: how long it would have taken with a machine for each of its pieces. */
export type Cost = { cpuS: number; wallS: number; sideBySideS: number }

/** Called around each piece that could run on a machine of its own. */
export type Pieces = <T>(piece: () => Promise<T>) => Promise<T>

/** Runs something, and tells what it and the programs that it started cost. */
export const costOf = async (act: (pieces: Pieces) => Promise<void>): Promise<Cost> => {
  const walls: number[] = []
  const pieces: Pieces = async (piece) => {
    const startMs = performance.now()
    const made = await piece()
    walls.push((performance.now() - startMs) / 1000)
    return made
  }
  const [startMs, startCpuS] = [performance.now(), await cpuS()]
  await act(pieces)
  const wallS = (performance.now() - startMs) / 1000
  const piecesS = walls.reduce((sum, each) => sum + each, 0)
  return {
    cpuS: (await cpuS()) - startCpuS,
    wallS,
    sideBySideS: wallS - piecesS + Math.max(0, ...walls),
  }
}

/** In which Linux counts the time of processes, whatever the machine (proc(5), sysconf(_SC_CLK_TCK)). */
const ticksPerSecond = 100

/** CPU seconds of this process and of all children that have ended. Node tells only of itself, so Linux is asked. */
const cpuS = async (): Promise<number> => {
  const stat = await readFile('/proc/self/stat', 'utf8').catch(() => {
    throw new Error('The CPU time of children is read from /proc, which only Linux has.')
  })
  // The second field is a name in brackets that may have blanks; utime, stime, cutime and cstime are 14 to 17.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0)
  return ticks / ticksPerSecond
}
