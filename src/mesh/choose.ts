// Which replica gets the next one (design §5). Pure: what is known goes in, a choice comes out.
//
// Every replica has a weight. Its reports of saturation, a second old and the same for everybody, only move the weight, by
// little, so that a thousand senders that hear the same don't all turn at once. What a sender knows at once and alone, how
// much of its own is open where, decides between two that were drawn by weight. To leave a replica because its processor is
// busy would be to turn at once, too: all would come back at once when it is idle (scripts/bench, section `balance`).

/** What is known of a replica. */
export interface Candidate {
  standing: Standing
  /** Its part of the work, in proportion to the others: 0–1. */
  weight: number
  /** What we have asked there that has no answer yet. */
  open: number
}

/** From best to worst; a worse one is taken only where there is no better. `full`: of what no waiting gives back. */
export const STANDINGS = ['good', 'full', 'draining', 'away'] as const

export type Standing = (typeof STANDINGS)[number]

/** What a report moves. */
export interface Weighed {
  standing: Standing
  weight: number
  /** How busy it is, as reported last, 0–1; `undefined`: it tells nothing. */
  load: number | undefined
}

/** Below it a replica has room enough: differences don't matter. */
const EASY = 0.3
/** Of the way to where a weight should be, in one second. */
const SPEED = 0.6
/** The least weight: from there it can come back. */
const LEAST = 0.02
/** After a long silence a report counts as much as after these seconds. */
const SILENCE = 3

/** The better of two that are drawn by weight. `undefined`: there is none. `fraction`: from 0 up to, not including, 1. */
export function choose<T extends Candidate>(candidates: readonly T[], fraction: () => number): T | undefined {
  const best = bestOf(candidates)
  if (best.length < 2) return best[0]
  const one = draw(best, fraction())
  const other = draw(best, fraction())
  return burden(one) <= burden(other) ? one : other
}

/** Those of the best standing that there is. */
export function bestOf<T extends { standing: Standing }>(candidates: readonly T[]): T[] {
  for (const standing of STANDINGS) {
    const found = candidates.filter((candidate) => candidate.standing === standing)
    if (found.length > 0) return found
  }
  return []
}

/**
 * The weights after one of them has reported. Who is more saturated than the mean gets less, until all are alike: then the
 * worst is as good as it can be. Who gets nothing at the moment is empty for that reason: it gains no weight by it.
 * @param all those that work is shared among, and the one that has reported
 * @param seconds since its last report
 */
export function weigh(reported: Weighed, all: readonly Weighed[], seconds: number): void {
  const known = all.filter(
    (each) => each.load !== undefined && (each.standing === 'good' || each === reported),
  )
  if (reported.load === undefined || known.length < 2) return
  const fullness = ({ load = 0 }: Weighed) => Math.max(EASY, load)
  const mean = known.reduce((sum, each) => sum + fullness(each), 0) / known.length
  const error = fullness(reported) / mean - 1
  if (error < 0 && reported.standing !== 'good') return
  reported.weight *= Math.exp(-SPEED * Math.min(SILENCE, seconds) * error)
  const most = Math.max(...all.map(({ weight }) => weight))
  for (const each of all) each.weight = Math.max(LEAST, each.weight / most)
}

function draw<T extends Candidate>(candidates: readonly T[], fraction: number): T {
  let left = fraction * candidates.reduce((sum, { weight }) => sum + weight, 0)
  for (const candidate of candidates) {
    left -= candidate.weight
    if (left < 0) return candidate
  }
  return candidates.at(-1) as T
}

function burden({ open, weight }: Candidate): number {
  return open / weight
}
