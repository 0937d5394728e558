/** How long and how much the phases run. Milliseconds; rates a second. */
export interface Plan {
  /** Once for each stack, before its first phase. */
  readonly stackWarmUpMs: number
  /** Before it, compilers and connections warm up: connects, JIT, Kafka's and PostgreSQL's first pages. */
  readonly warmUpMs: number
  readonly closedLoopMs: number
  readonly openLoops: readonly OpenLoop[]
  /** One step of the search for the highest rate, and what of it is left out. */
  readonly searchStepMs: number
  readonly searchWarmUpMs: number
  readonly searchSteps: number
  readonly rawLoopMs: number
  readonly rawWarmUpMs: number
  /** Of all publishes of one fan-out together: bounds the backlog, which a closed loop on publishes does not. */
  readonly fanOutDeliveries: number
  readonly fanOutWarmUpMs: number
  readonly isolationMs: number
  readonly latenessMs: number
  /** Events that are matched, and destinations that are changed, for each number of filters. */
  readonly matchingEvents: number
  /** Of each side of a destination type, processor time: before its rounds, and each of them. */
  readonly typesWarmUpMs: number
  readonly typesRoundMs: number
  readonly typesRounds: number
  readonly typesIdleSenders: number
  readonly memoryDestinations: number
  /** How many of them get one event each. */
  readonly memoryDelivered: number
  /** Of each of the three windows: one of each app, two, one again. */
  readonly scaleWindowMs: number
}

export interface OpenLoop {
  readonly ratePerSecond: number
  readonly durationMs: number
}

/** 100/s for 24 s leave 2,000 events after the warm-up: two of them are above p99.9. */
export const FULL: Plan = {
  stackWarmUpMs: 5_000,
  warmUpMs: 4_000,
  closedLoopMs: 14_000,
  openLoops: [
    { ratePerSecond: 100, durationMs: 24_000 },
    { ratePerSecond: 200, durationMs: 24_000 },
    { ratePerSecond: 500, durationMs: 18_000 },
    { ratePerSecond: 1_000, durationMs: 18_000 },
  ],
  searchStepMs: 7_000,
  searchWarmUpMs: 2_000,
  searchSteps: 8,
  rawLoopMs: 5_000,
  rawWarmUpMs: 1_000,
  fanOutDeliveries: 20_000,
  fanOutWarmUpMs: 1_000,
  isolationMs: 30_000,
  latenessMs: 20_000,
  matchingEvents: 10_000,
  typesWarmUpMs: 1_000,
  typesRoundMs: 300,
  typesRounds: 5,
  typesIdleSenders: 200,
  memoryDestinations: 10_000,
  memoryDelivered: 1_000,
  scaleWindowMs: 12_000,
}

export const QUICK: Plan = {
  stackWarmUpMs: 500,
  warmUpMs: 1_000,
  closedLoopMs: 3_000,
  openLoops: FULL.openLoops.map(({ ratePerSecond }) => ({ ratePerSecond, durationMs: 3_000 })),
  searchStepMs: 2_000,
  searchWarmUpMs: 500,
  searchSteps: 3,
  rawLoopMs: 1_000,
  rawWarmUpMs: 200,
  fanOutDeliveries: 2_000,
  fanOutWarmUpMs: 200,
  isolationMs: 5_000,
  latenessMs: 3_000,
  matchingEvents: 500,
  typesWarmUpMs: 200,
  typesRoundMs: 200,
  typesRounds: 1,
  typesIdleSenders: 20,
  memoryDestinations: 200,
  memoryDelivered: 50,
  scaleWindowMs: 3_000,
}
