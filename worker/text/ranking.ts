import { UndirectedGraph } from 'graphology'
import { pagerank } from 'graphology-metrics/centrality/index.js'

/** Words of a text, each with its weight, of length 1. */
export type Vector = Map<string, number>

/** tf-idf of each text among all. Pure. */
export const vectorsOf = (texts: readonly (readonly string[])[]): Vector[] => {
  const textsWith = new Map<string, number>()
  for (const tokens of texts)
    for (const token of new Set(tokens)) textsWith.set(token, (textsWith.get(token) ?? 0) + 1)
  return texts.map((tokens) => {
    const weights: Vector = new Map()
    for (const token of tokens) {
      const idf = Math.log(1 + texts.length / (textsWith.get(token) ?? 1))
      weights.set(token, (weights.get(token) ?? 0) + idf)
    }
    const length = Math.hypot(...weights.values())
    return new Map([...weights].map(([token, weight]) => [token, weight / length]))
  })
}

/** 0: nothing in common. 1: the same words. Pure. */
export const similarity = (a: Vector, b: Vector): number => {
  const [small, large] = a.size <= b.size ? [a, b] : [b, a]
  let sum = 0
  for (const [token, weight] of small) sum += weight * (large.get(token) ?? 0)
  return sum
}

/** Below this, two texts have nothing to do with each other. */
const leastSimilarity = 0.05

/**
 * How central each text is: PageRank in the graph of their similarities, and how many it is like. Every pair is compared, so the cost grows with the
 * square of their number; `rankAll` bounds it. Pure.
 */
export const centralityOf = (vectors: readonly Vector[]): number[] => {
  const graph = new UndirectedGraph<Record<string, never>, { weight: number }>()
  for (const index of vectors.keys()) graph.addNode(String(index))
  for (const [index, vector] of vectors.entries())
    for (let other = index + 1; other < vectors.length; other += 1) {
      const weight = similarity(vector, vectors[other] ?? new Map())
      if (weight > leastSimilarity) graph.addEdge(String(index), String(other), { weight })
    }
  if (graph.order === 0) return []
  const ranks = pagerank(graph, { getEdgeWeight: 'weight', maxIterations: 1000 })
  // Two texts that are like each other and like nothing else keep their rank between them: who knows few counts less.
  const reach = (index: number) => Math.sqrt(graph.degree(String(index)) / Math.max(1, vectors.length - 1))
  return vectors.map((_, index) => (ranks[String(index)] ?? 0) * reach(index))
}

/** Two texts that say nearly the same. */
const sameSimilarity = 0.6

export type Choice = {
  vectors: readonly Vector[]
  count: number
  /** Whether the text at a position may be chosen while there are others. */
  isCandidate?: (index: number) => boolean
  /** What each text belongs to: of every part one is chosen before any gets a second. */
  partOf?: (index: number) => number
}

/**
 * The most central texts, as positions in ascending order. What says nearly the same as one that was chosen is chosen only
 * when nothing else is left. Ties go to the earlier one. Pure.
 */
export const mostCentral = ({
  vectors,
  count,
  isCandidate = () => true,
  partOf = () => 0,
}: Choice): number[] => {
  const scores = centralityOf(vectors).map((rank, index) => rank * fullness(vectors[index]))
  const order = [...vectors.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b)
  const candidates = order.filter(isCandidate)
  const firsts = candidates.filter(
    (index, at) => candidates.findIndex((other) => partOf(other) === partOf(index)) === at,
  )
  const chosen: number[] = []
  const repeated: number[] = []
  for (const index of new Set([...firsts, ...candidates])) {
    if (chosen.length === count) break
    const vector = vectors[index] ?? new Map()
    const repeats = chosen.some((other) => similarity(vector, vectors[other] ?? new Map()) > sameSimilarity)
    if (repeats) repeated.push(index)
    else chosen.push(index)
  }
  const rest = [...repeated, ...order.filter((index) => !isCandidate(index))]
  return [...chosen, ...rest.slice(0, Math.max(0, count - chosen.length))].sort((a, b) => a - b)
}

/** A sentence of two words that everybody uses is central, and says little. */
const fullWords = 9
const fullness = (vector: Vector | undefined): number =>
  Math.sqrt(Math.min(1, (vector?.size ?? 0) / fullWords))
