export interface RateSearch {
  /** Tried first. */
  readonly from: number
  /** Each step up, as long as nothing failed. */
  readonly growth: number
  /** Ends the search when the lowest bad rate is at most this many times the highest good one. */
  readonly precision: number
  /** Most rates that are tried. */
  readonly steps: number
}

/** Rates are whole multiples of this: finer ones look more exact than they are. */
const ROUND_TO = 10

/** The highest rate for which `isKept` resolves to true; 0 when none was. Goes up until one fails, then halves the gap. */
export async function highestKeptRate(
  { from, growth, precision, steps }: RateSearch,
  isKept: (rate: number) => Promise<boolean>,
): Promise<number> {
  let kept = 0
  let failed = Number.POSITIVE_INFINITY
  let rate = from
  for (let step = 0; step < steps && failed > kept * precision; step++) {
    if (await isKept(rate)) kept = rate
    else failed = rate
    rate = nextRate(kept, failed, growth)
    if (rate <= kept || rate >= failed) break
  }
  return kept
}

function nextRate(kept: number, failed: number, growth: number): number {
  if (failed === Number.POSITIVE_INFINITY) return round(kept * growth)
  if (kept === 0) return round(failed / growth)
  return round(Math.sqrt(kept * failed))
}

const round = (rate: number): number => Math.round(rate / ROUND_TO) * ROUND_TO
