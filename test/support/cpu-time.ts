/** Milliseconds of processor time that this process has used: what a piece of work costs, however busy the machine is. */
export const cpuMs = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
