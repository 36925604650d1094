/** The conditions of the protocol, each of which can be taken away: then the search has to find what it is good for. */
export const conditions = {
  claimInSettle: 'writes that end a launch are conditional on the claim as read',
  reportInSettle: 'writes that end a launch are conditional on the report as read',
  beatInLost: 'settling from absence is conditional on the beat as read',
  observeFirst: 'the record is read after the task was observed',
  launchInStartedBy: 'startedBy names the launch, not only the attempt',
  claimWins: 'a claim comes before the recorded ARN',
  grace: 'absence counts only after the visibility grace',
  beat: 'a missing task whose beat moves is not lost',
  fenceOnIntent: 'the intent is conditional on revision and phase as read',
  revision: 'every write is conditional on the revision as read',
  tokenPerLaunch: 'the client token is that of the launch, not of the attempt',
  sameToken: 'a replay carries the same client token',
  listBeforeRelease: 'a container job whose launch was refused waits for a full listing',
  waitForStopped: 'a task has ended at lastStatus STOPPED, not at desiredStatus STOPPED',
  strays: 'a waiting job does not start while a stray lives',
} as const
export type Condition = keyof typeof conditions

export const isCondition = (name: string): name is Condition => Object.hasOwn(conditions, name)

/** How large the searched world is. */
export type Bounds = {
  kind: 'transcode' | 'container'
  controllers: 1 | 2
  /** Faults of all sorts together. */
  faults: number
  cancels: number
  suspends: number
  retries: number
  deadline: boolean
  attempts: number
  infrastructureAttempts: number
}

export type Setting = Bounds & {
  /** A controller may pause between reading and deciding to wait: more states, for the long runs. */
  pauses: boolean
  without: ReadonlySet<Condition>
}
