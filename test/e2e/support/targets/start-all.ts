interface Stoppable {
  stop(): Promise<void>
}

/** Waits for things that are started side by side. When one does not start, the others are stopped before this rejects. */
export async function startAll<Started extends readonly Stoppable[]>(starting: {
  readonly [Place in keyof Started]: Promise<Started[Place]>
}): Promise<Started> {
  const outcomes = await Promise.allSettled<Stoppable>(starting)
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) {
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') await outcome.value.stop()
    throw failed.reason
  }
  return Promise.all(starting)
}
