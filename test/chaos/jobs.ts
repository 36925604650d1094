import type { TerminalPhase } from '../../schemas/job.ts'
import type { Capacity } from '../../schemas/spec.ts'
import type { ClipName } from '../support/clips.ts'
import type { Random } from '../support/random.ts'

/** How a job comes into the system. */
export const ways = ['upload', 'message', 'http', 'record'] as const
export type Way = (typeof ways)[number]

/** One job of the run: what is asked for, and how it has to end. */
export type Wanted = {
  name: string
  way: Way
  wish?: 'cancel' | 'retry'
  /** Of its last generation. */
  ends: TerminalPhase
  limits: Record<string, unknown>
  capacity: Capacity
} & ({ kind: 'container'; script: string } | { kind: 'transcode'; clip: ClipName; durationS: number })

type Script = Pick<Wanted, 'ends' | 'wish'> & {
  name: string
  script: string
  limits?: Record<string, unknown>
  capacity?: Capacity
  share: number
}

/** Said first and last, so that what ran is known without asking the system. */
const begins = 'echo "begin $FENCE" >> "$PROOF/$JOB_ID"'
const ends = 'echo "end $FENCE" >> "$PROOF/$JOB_ID"'
const done = `${ends}; exit 0`

/** `share`: how many of them for each of the others. */
const scripts: readonly Script[] = [
  { name: 'quick', share: 5, ends: 'Succeeded', script: done },
  { name: 'slow', share: 6, ends: 'Succeeded', capacity: 'spot', script: `sleep 2; ${done}` },
  {
    name: 'fails-once',
    share: 3,
    ends: 'Succeeded',
    script: `mkdir "$PROOF/$JOB_ID.once" 2>/dev/null && exit 1; sleep 0.5; ${done}`,
  },
  { name: 'fails-for-ever', share: 2, ends: 'Failed', script: 'exit 1', limits: { attempts: 3 } },
  { name: 'bad-input', share: 2, ends: 'Failed', script: 'exit 65' },
  {
    name: 'too-long',
    share: 1,
    ends: 'Failed',
    script: 'exec sleep 600',
    limits: { attempts: 2, attemptTimeout: 2 },
  },
  {
    name: 'deaf',
    share: 2,
    ends: 'Succeeded',
    capacity: 'spot-then-on-demand',
    script: `trap '' TERM; for i in 1 2 3 4; do sleep 0.5; done; ${done}`,
  },
  {
    name: 'spotty',
    share: 3,
    ends: 'Succeeded',
    capacity: 'spot-then-on-demand',
    script: `sleep 3; ${done}`,
  },
  { name: 'endless', share: 3, ends: 'Cancelled', wish: 'cancel', script: 'exec sleep 600' },
  {
    name: 'endless-deaf',
    share: 1,
    ends: 'Cancelled',
    wish: 'cancel',
    script: `trap '' TERM; while :; do sleep 1; done`,
  },
  {
    name: 'mended',
    share: 2,
    ends: 'Succeeded',
    wish: 'retry',
    script: `test -e "$PROOF/$JOB_ID.mended" || exit 65; ${done}`,
  },
]

/** Nothing but its script decides how a job ends: there are attempts enough for everything that is done to it. */
const generous = {
  attempts: 50,
  infrastructureAttempts: 100,
  backoff: { initial: 0, max: 1 },
  deadline: 900,
}

/** Three of ten jobs transcode. Containers are dealt like cards, so that there are some of every sort. */
export function planJobs(count: number, random: Random): Wanted[] {
  const cards = shuffled(
    scripts.flatMap((script) => Array.from({ length: script.share }, () => script)),
    random,
  )
  let dealt = 0
  return Array.from({ length: count }, (_, index): Wanted => {
    const number = String(index).padStart(3, '0')
    if (index % 10 === 1 || index % 10 === 4 || index % 10 === 8) return transcode(number, index, random)
    const card = cards[dealt++ % cards.length]
    if (card === undefined) throw new Error('There are no scripts')
    return containerOf(card, number, random)
  })
}

function containerOf({ share: _share, ...card }: Script, number: string, random: Random): Wanted {
  return {
    ...card,
    kind: 'container',
    name: `${number}-${card.name}`,
    way: random.pick(ways.filter((way) => way !== 'upload')),
    script: `${begins}; ${card.script}`,
    limits: { ...generous, ...card.limits },
    capacity: card.capacity ?? 'on-demand',
  }
}

function transcode(number: string, index: number, random: Random): Wanted {
  const way = random.once(2) ? 'upload' : random.pick(ways)
  const common = { kind: 'transcode', way, limits: generous, capacity: 'on-demand' } as const
  if (index === 18)
    return { ...common, name: `${number}-text`, clip: 'text.mp4', durationS: 0, ends: 'Failed' }
  const clip = random.pick(['short.mp4', 'short.mp4', 'silent.mp4', 'plain.mp4'] as const)
  const capacity = random.once(4) && way !== 'upload' ? 'spot-then-on-demand' : 'on-demand'
  return {
    ...common,
    name: `${number}-film`,
    clip,
    capacity,
    durationS: clip === 'plain.mp4' ? 4 : 2,
    ends: 'Succeeded',
  }
}

export function shuffled<T>(list: readonly T[], random: Random): T[] {
  return list
    .map((item) => ({ item, key: random.next() }))
    .sort((one, other) => one.key - other.key)
    .map(({ item }) => item)
}
